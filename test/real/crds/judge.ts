import { until } from '../../support/until.ts';
import { type CrdSet, type CustomResourceDefinition, customResourceDefinitions } from '../servers/crds.ts';
import { type RunningKubernetes, startKubernetes } from '../servers/index.ts';

/** A real API server with the definitions installed: structural schema, CEL rules and strict field validation, all as in a cluster. */
export interface CrdJudge {
  /** It has a definition for the object's apiVersion and kind. */
  knows(object: unknown): boolean;
  /** Undefined: it would take the object; else what it says. Nothing is stored. */
  ask(object: unknown): Promise<string | undefined>;
  stop(): Promise<void>;
}

interface Written {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: { readonly namespace?: string };
}

export async function startCrdJudge(sets: readonly CrdSet[]): Promise<CrdJudge> {
  const definitions = (await Promise.all(sets.map(customResourceDefinitions))).flat();
  const kubernetes = await startKubernetes();
  try {
    for (const definition of definitions) await kubernetes.api.apply({ ...definition } as Record<string, unknown>);
    for (const definition of definitions) await served(kubernetes, definition);
  } catch (error) {
    await kubernetes.stop();
    throw error;
  }
  const pathOf = (object: unknown): string | undefined => {
    const { apiVersion = '', kind = '', metadata } = (object ?? {}) as Written;
    const found = definitions.find(
      ({ spec }) => spec.names.kind === kind && spec.versions.some((v) => `${spec.group}/${v.name}` === apiVersion),
    );
    if (found === undefined) return undefined;
    const namespace = found.spec.scope === 'Namespaced' ? `/namespaces/${metadata?.namespace ?? 'default'}` : '';
    return `/apis/${apiVersion}${namespace}/${found.spec.names.plural}`;
  };
  return {
    knows: (object) => pathOf(object) !== undefined,
    ask: async (object) => {
      const path = pathOf(object);
      if (path === undefined) throw new Error(`no definition for ${JSON.stringify(object).slice(0, 100)}`);
      const { namespace } = (object as Written).metadata ?? {};
      if (namespace !== undefined) await kubernetes.api.ensureNamespace(namespace);
      try {
        await kubernetes.api.call('POST', `${path}?dryRun=All&fieldValidation=Strict`, object);
        return undefined;
      } catch (error) {
        const said = / answered (400|422): (.*)$/s.exec((error as Error).message)?.[2];
        if (said === undefined) throw error;
        return (JSON.parse(said) as { message?: string }).message ?? said;
      }
    },
    stop: () => kubernetes.stop(),
  };
}

async function served(kubernetes: RunningKubernetes, { spec }: CustomResourceDefinition): Promise<void> {
  for (const version of spec.versions) {
    const path = `/apis/${spec.group}/${version.name}/${spec.names.plural}?limit=1`;
    await until(`the API serves ${path}`, () => kubernetes.api.get(path));
  }
}
