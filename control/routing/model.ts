import type { ServiceKey } from '../../core/model/index.ts';
import { compareText, PersistentMap } from '../catalog/index.ts';
import { noClientRules } from './client-rules.ts';
import type { ClientRules, CompiledGateway, Finding, ServiceTraffic, TrafficModel } from './contract.ts';

type Services = PersistentMap<ServiceKey, ServiceTraffic>;
type Gateways = PersistentMap<string, CompiledGateway>;
type Counts = PersistentMap<string, number>;
type Findings = PersistentMap<string, readonly Finding[]>;

/** One state of what was compiled; the next shares with it what did not change. */
export class Model implements TrafficModel {
  static readonly empty = new Model(
    PersistentMap.empty(),
    PersistentMap.empty(),
    PersistentMap.empty(),
    { services: new Set(), gateways: new Set() },
    noClientRules,
    PersistentMap.empty(),
  );

  readonly services: Services;
  readonly gateways: Gateways;
  readonly changed: TrafficModel['changed'];
  /** By who found them; without those who found nothing. */
  readonly found: Findings;
  readonly clients: ClientRules;
  /** By namespace, of how many services its callers are told otherwise. */
  readonly #apart: Counts;
  #sorted: readonly Finding[] | undefined;

  private constructor(
    services: Services,
    gateways: Gateways,
    found: Findings,
    changed: TrafficModel['changed'],
    clients: ClientRules,
    apart: Counts,
  ) {
    this.#apart = apart;
    this.services = services;
    this.gateways = gateways;
    this.found = found;
    this.changed = changed;
    this.clients = clients;
  }

  service(key: ServiceKey): ServiceTraffic | undefined {
    return this.services.get(key);
  }

  differsFor(namespace: string): boolean {
    return this.#apart.get(namespace) !== undefined;
  }

  get findings(): readonly Finding[] {
    this.#sorted ??= [...this.found.values()].flat().sort((a, b) => compareText(placeOf(a), placeOf(b)));
    return this.#sorted;
  }

  /** This model itself where nothing differs. */
  with(services: Services, gateways: Gateways, found: Findings, clients: ClientRules): Model {
    if (services === this.services && gateways === this.gateways && found === this.found && clients === this.clients) return this;
    const changed = { services: services.changedKeys(this.services), gateways: gateways.changedKeys(this.gateways) };
    return new Model(services, gateways, found, changed, clients, this.#recount(services, changed.services));
  }

  #recount(services: Services, changed: ReadonlySet<ServiceKey>): Counts {
    const counts = new Map<string, number>();
    const add = (namespace: string, by: number) => counts.set(namespace, (counts.get(namespace) ?? this.#apart.get(namespace) ?? 0) + by);
    for (const key of changed) {
      for (const namespace of this.services.get(key)?.callers.keys() ?? []) add(namespace, -1);
      for (const namespace of services.get(key)?.callers.keys() ?? []) add(namespace, 1);
    }
    return this.#apart.with([...counts].map(([namespace, count]) => [namespace, count === 0 ? undefined : count]));
  }
}

function placeOf({ object, path, code, message }: Finding): string {
  return [object.kind, object.namespace, object.name, path, code, message].join('\0');
}
