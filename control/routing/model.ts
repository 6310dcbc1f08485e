import type { ServiceKey } from '../../core/model/index.ts';
import { compareText, PersistentMap } from '../catalog/index.ts';
import { noClientRules } from './client-rules.ts';
import type { ClientRules, CompiledGateway, Finding, ServiceTraffic, TrafficModel } from './contract.ts';

type Services = PersistentMap<ServiceKey, ServiceTraffic>;
type Gateways = PersistentMap<string, CompiledGateway>;
type Findings = PersistentMap<string, readonly Finding[]>;

/** One state of what was compiled; the next shares with it what did not change. */
export class Model implements TrafficModel {
  static readonly empty = new Model(
    PersistentMap.empty(),
    PersistentMap.empty(),
    PersistentMap.empty(),
    { services: new Set(), gateways: new Set() },
    noClientRules,
  );

  readonly services: Services;
  readonly gateways: Gateways;
  readonly changed: TrafficModel['changed'];
  /** By who found them; without those who found nothing. */
  readonly found: Findings;
  readonly clients: ClientRules;
  #sorted: readonly Finding[] | undefined;

  private constructor(services: Services, gateways: Gateways, found: Findings, changed: TrafficModel['changed'], clients: ClientRules) {
    this.services = services;
    this.gateways = gateways;
    this.found = found;
    this.changed = changed;
    this.clients = clients;
  }

  service(key: ServiceKey): ServiceTraffic | undefined {
    return this.services.get(key);
  }

  get findings(): readonly Finding[] {
    this.#sorted ??= [...this.found.values()].flat().sort((a, b) => compareText(placeOf(a), placeOf(b)));
    return this.#sorted;
  }

  /** This model itself where nothing differs. */
  with(services: Services, gateways: Gateways, found: Findings, clients: ClientRules): Model {
    if (services === this.services && gateways === this.gateways && found === this.found && clients === this.clients) return this;
    const changed = { services: services.changedKeys(this.services), gateways: gateways.changedKeys(this.gateways) };
    return new Model(services, gateways, found, changed, clients);
  }
}

function placeOf({ object, path, code, message }: Finding): string {
  return [object.kind, object.namespace, object.name, path, code, message].join('\0');
}
