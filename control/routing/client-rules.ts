import type { TrafficObject } from '../../core/config/index.ts';
import type { ClientRules, Egress, Workload } from './contract.ts';
import { compileEgress, type EntryHosts, sidecarOf } from './egress.ts';
import { type EntryObject, objectName, olderFirst, type SidecarObject } from './objects.ts';

/** Nothing is said of any workload. */
export const noClientRules: ClientRules = { egress: () => undefined };

/** Those of these objects; `before` itself where none of those that matter here is another. */
export function clientRulesOf(objects: readonly TrafficObject[], hostSuffix: string, before: ClientRules): ClientRules {
  const sidecars = objects.filter((o): o is SidecarObject => o.kind === 'Sidecar');
  if (sidecars.length === 0) return noClientRules;
  // Their hosts are names of services, which a Sidecar may say.
  const entries = objects.filter((o): o is EntryObject => o.kind === 'ServiceEntry');
  const of = [...sidecars, ...entries];
  if (before instanceof Rules && before.of.length === of.length && of.every((each, i) => each === before.of[i])) return before;
  return new Rules(of, sidecars, entryHosts(entries), hostSuffix);
}

class Rules implements ClientRules {
  readonly of: readonly TrafficObject[];
  readonly #sidecars: ReadonlyMap<string, readonly SidecarObject[]>;
  readonly #entryHosts: EntryHosts;
  readonly #hostSuffix: string;
  /** By the Sidecar that names hosts and the namespace that `.` is. */
  readonly #egress = new Map<string, Egress>();

  constructor(of: readonly TrafficObject[], sidecars: readonly SidecarObject[], entries: EntryHosts, hostSuffix: string) {
    this.of = of;
    this.#sidecars = byNamespace(sidecars);
    this.#entryHosts = entries;
    this.#hostSuffix = hostSuffix;
  }

  egress({ namespace, labels }: Workload): Egress | undefined {
    const sidecar = sidecarOf(this.#sidecars, namespace, labels);
    if (sidecar === undefined) return undefined;
    const id = `${objectName(sidecar)} ${namespace}`;
    let egress = this.#egress.get(id);
    if (egress === undefined) {
      egress = compileEgress(sidecar, namespace, this.#entryHosts, this.#hostSuffix);
      this.#egress.set(id, egress);
    }
    return egress;
  }
}

/** The older first, as of several that fit one is used. */
function byNamespace<T extends TrafficObject>(objects: readonly T[]): ReadonlyMap<string, readonly T[]> {
  const found = new Map<string, T[]>();
  for (const object of [...objects].sort(olderFirst)) {
    const others = found.get(object.namespace);
    if (others === undefined) found.set(object.namespace, [object]);
    else others.push(object);
  }
  return found;
}

function entryHosts(entries: readonly EntryObject[]): EntryHosts {
  const hosts = new Map<string, string[]>();
  for (const entry of entries) {
    const name = objectName(entry);
    hosts.set(name, [...(hosts.get(name) ?? []), ...entry.spec.hosts.map((host) => host.toLowerCase())]);
  }
  return hosts;
}
