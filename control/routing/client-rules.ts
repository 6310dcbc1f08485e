import type { AccessLogging } from '../../core/access-log/index.ts';
import type { TrafficObject } from '../../core/config/index.ts';
import type { ClientRules, Egress, Workload } from './contract.ts';
import { compileEgress, type EntryHosts, sidecarOf } from './egress.ts';
import { loggingOf } from './logging.ts';
import { type EntryObject, objectName, type SidecarObject, type TelemetryObject } from './objects.ts';
import { type ByNamespace, byNamespace } from './select-workload.ts';

/** Nothing is said of any workload. */
export const noClientRules: ClientRules = { egress: () => undefined, logging: () => undefined };

/** Those of these objects; `before` itself where none of those that matter here is another. */
export function clientRulesOf(objects: readonly TrafficObject[], hostSuffix: string, before: ClientRules): ClientRules {
  const sidecars = objects.filter((o): o is SidecarObject => o.kind === 'Sidecar');
  const telemetries = objects.filter((o): o is TelemetryObject => o.kind === 'Telemetry');
  if (sidecars.length + telemetries.length === 0) return noClientRules;
  // Their hosts are names of services, which a Sidecar may say.
  const entries = objects.filter((o): o is EntryObject => o.kind === 'ServiceEntry');
  const of = [...sidecars, ...telemetries, ...entries];
  if (before instanceof Rules && before.of.length === of.length && of.every((each, i) => each === before.of[i])) return before;
  return new Rules(of, { sidecars, telemetries, entries }, hostSuffix);
}

interface Kinds {
  readonly sidecars: readonly SidecarObject[];
  readonly telemetries: readonly TelemetryObject[];
  readonly entries: readonly EntryObject[];
}

class Rules implements ClientRules {
  readonly of: readonly TrafficObject[];
  readonly #sidecars: ByNamespace<SidecarObject>;
  readonly #telemetries: ByNamespace<TelemetryObject>;
  readonly #entryHosts: EntryHosts;
  readonly #hostSuffix: string;
  /** By the Sidecar that names hosts and the namespace that `.` is. */
  readonly #egress = new Map<string, Egress>();

  constructor(of: readonly TrafficObject[], { sidecars, telemetries, entries }: Kinds, hostSuffix: string) {
    this.of = of;
    this.#sidecars = byNamespace(sidecars);
    this.#telemetries = byNamespace(telemetries);
    this.#entryHosts = entryHosts(entries);
    this.#hostSuffix = hostSuffix;
  }

  logging(workload: Workload): AccessLogging | undefined {
    return loggingOf(this.#telemetries, workload);
  }

  egress(workload: Workload): Egress | undefined {
    const sidecar = sidecarOf(this.#sidecars, workload);
    if (sidecar === undefined) return undefined;
    const { namespace } = workload;
    const id = `${objectName(sidecar)} ${namespace}`;
    let egress = this.#egress.get(id);
    if (egress === undefined) {
      egress = compileEgress(sidecar, namespace, this.#entryHosts, this.#hostSuffix);
      this.#egress.set(id, egress);
    }
    return egress;
  }
}

function entryHosts(entries: readonly EntryObject[]): EntryHosts {
  const hosts = new Map<string, string[]>();
  for (const entry of entries) {
    const name = objectName(entry);
    hosts.set(name, [...(hosts.get(name) ?? []), ...entry.spec.hosts.map((host) => host.toLowerCase())]);
  }
  return hosts;
}
