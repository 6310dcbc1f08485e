import { stringify } from 'yaml';
import type { MigrationPlan, MigrationPlanRequest } from '../../core/admin/index.ts';
import type { MigrationSpec } from '../../core/config/index.ts';
import { accept, type Checked, reject } from '../../core/validate.ts';
import { violation } from '../../core/yaml/index.ts';
import type { MigrationsApi } from '../admin/index.ts';
import type { Migrations } from '../migrate/index.ts';
import { type Preflight, type PreflightFacts, type PreflightRequest, preflight } from '../migrate/preflight/index.ts';
import { type ParseDocument, readCandidates } from '../objects/index.ts';

export interface MigrationsApiParts {
  readonly migrations: Migrations;
  readonly parse: ParseDocument;
  readonly facts: (namespace: string, service: string) => Promise<PreflightFacts>;
}

/** What the API asks of migrations. */
export function migrationsApi({ migrations, parse, facts }: MigrationsApiParts): MigrationsApi {
  const check = async (request: PreflightRequest): Promise<Preflight> =>
    preflight(request, await facts(request.namespace, request.spec?.service ?? request.service));
  const planWritten = async (written: Written) => planOf({ ...(await check(written)), document: written.document }, written.namespace);
  return {
    plan: async (request) => {
      const { namespace = 'default', files, propose } = request;
      if (propose === undefined) {
        const written = migrationOf(files ?? [], namespace, parse);
        return written.ok ? accept(await planWritten(written.value)) : written;
      }
      const proposed = await check(requestOf(propose, namespace));
      if (propose.spec === undefined) return accept(planOf(proposed, namespace));
      // What was asked for in place of what was proposed has to make sense together with the rest.
      const { document } = proposed;
      const text = stringify({ ...document, spec: { ...document.spec, ...propose.spec } });
      const whole = migrationOf([{ file: 'plan', text }], namespace, parse);
      return whole.ok ? accept(await planWritten(whole.value)) : whole;
    },
    list: () => migrations.list(),
    status: (namespace, name) => migrations.status(namespace, name),
    report: (namespace, name) => migrations.report(namespace, name),
    command: async (namespace, name, asked) => {
      const { before, after, status } = await migrations.command(namespace, name, asked);
      const shown = ({ phase, run, step, weight, paused }: typeof before) => ({ phase, run, step, weight, paused: paused !== undefined });
      return { value: status, diff: [{ subject: `migration/${namespace}/${name}`, before: shown(before), after: shown(after) }] };
    },
    freeze: async (reason, by) => {
      const freeze = await migrations.freeze(reason, by);
      return { value: { freeze }, diff: [{ subject: 'migrations/freeze', after: freeze }] };
    },
    unfreeze: async () => {
      const before = migrations.frozen();
      await migrations.unfreeze();
      return { value: { freeze: null }, diff: [{ subject: 'migrations/freeze', before }] };
    },
  };
}

function requestOf({ service, from, to, name }: NonNullable<MigrationPlanRequest['propose']>, namespace: string): PreflightRequest {
  const side = (said: typeof from) => ({ cluster: said.cluster ?? '', registry: said.registry });
  return { namespace, service, from: side(from), to: side(to), ...(name === undefined ? {} : { name }) };
}

interface Written extends PreflightRequest {
  readonly spec: MigrationSpec;
  /** As it was written. */
  readonly document: Readonly<Record<string, unknown>>;
}

/** The one Migration of these files. */
function migrationOf(files: NonNullable<MigrationPlanRequest['files']>, namespace: string, parse: ParseDocument): Checked<Written> {
  const { objects, violations } = readCandidates(files, parse, { namespace });
  if (violations.length > 0) return reject(violations);
  const [first, second] = [...objects.values()];
  if (first === undefined) return reject([{ path: '', message: 'no Migration is given' }]);
  if (second !== undefined) return reject([violation(second.at, [], 'is a second object: one Migration is planned at a time')]);
  const { object, document, at } = first;
  if (object.kind !== 'Migration') return reject([violation(at, ['kind'], `must be Migration, not ${object.kind}`)]);
  const { name, spec } = object;
  const { service, from, to } = spec;
  return accept({ namespace: object.namespace, name, spec, service, from, to, document });
}

function planOf(
  { checks, violations, name, document }: Omit<Preflight, 'document'> & { readonly document: object },
  namespace: string,
): MigrationPlan {
  return {
    ok: violations.length === 0,
    namespace,
    name,
    document: { ...document },
    yaml: stringify(document),
    checks: [...checks],
    violations: violations.map(({ path, message }) => ({ path, message })),
  };
}
