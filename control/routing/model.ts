import type { ServiceKey } from '../../core/model/index.ts';
import { compareText, PersistentMap } from '../catalog/index.ts';
import type { CompiledGateway, Finding, ServiceTraffic, TrafficModel } from './contract.ts';

type Services = PersistentMap<ServiceKey, ServiceTraffic>;
type Gateways = PersistentMap<string, CompiledGateway>;
type Findings = PersistentMap<string, readonly Finding[]>;

/** One state of what was compiled; the next shares with it what did not change. */
export class Model implements TrafficModel {
  static readonly empty = new Model(PersistentMap.empty(), PersistentMap.empty(), PersistentMap.empty(), {
    services: new Set(),
    gateways: new Set(),
  });

  readonly services: Services;
  readonly gateways: Gateways;
  readonly changed: TrafficModel['changed'];
  /** By who found them; without those who found nothing. */
  readonly found: Findings;
  #sorted: readonly Finding[] | undefined;

  private constructor(services: Services, gateways: Gateways, found: Findings, changed: TrafficModel['changed']) {
    this.services = services;
    this.gateways = gateways;
    this.found = found;
    this.changed = changed;
  }

  service(key: ServiceKey): ServiceTraffic | undefined {
    return this.services.get(key);
  }

  get findings(): readonly Finding[] {
    this.#sorted ??= [...this.found.values()].flat().sort((a, b) => compareText(placeOf(a), placeOf(b)));
    return this.#sorted;
  }

  /** This model itself where nothing differs. */
  with(services: Services, gateways: Gateways, found: Findings): Model {
    if (services === this.services && gateways === this.gateways && found === this.found) return this;
    const changed = { services: services.changedKeys(this.services), gateways: gateways.changedKeys(this.gateways) };
    return new Model(services, gateways, found, changed);
  }
}

function placeOf({ object, path, code, message }: Finding): string {
  return [object.kind, object.namespace, object.name, path, code, message].join('\0');
}
