import type { TrafficObject } from '../../core/config/index.ts';
import type { ServiceKey } from '../../core/model/index.ts';
import type { CatalogView, MergedService } from '../catalog/index.ts';
import { replaceObjects, type Touched, touchService } from './changes.ts';
import type { Finding, ServiceTraffic, TrafficModel } from './contract.ts';
import { Dependencies } from './dependencies.ts';
import { coversService } from './hosts.ts';
import { Lookup } from './lookup.ts';
import { type CompiledService, compileService } from './mesh-service.ts';
import { Model } from './model.ts';
import { ObjectIndex, ownerOf, type Token } from './object-index.ts';
import { share } from './share.ts';

/** Keeps what it compiled, and compiles what a change touches. Deterministic: equal inputs give equal models whatever came before. */
export interface TrafficCompiler {
  /**
   * The model of these inputs. An object that is `===` to the one of its name before is taken as unchanged. `services` (of the CatalogChange) limits which
   * services are looked at for change; without it all are. The model before is not touched, and is the same object where nothing differs.
   */
  update(objects: readonly TrafficObject[], view: Pick<CatalogView, 'services'>, services?: ReadonlySet<ServiceKey>): TrafficModel;
  /** Services, gateways and objects compiled or checked since it was made: what its work is measured by. */
  readonly compiled: number;
}

export function createTrafficCompiler(options: { readonly hostSuffix: string }): TrafficCompiler {
  return new Compiler(options.hostSuffix);
}

type Services = ReadonlyMap<ServiceKey, MergedService>;

class Compiler implements TrafficCompiler {
  compiled = 0;
  readonly #hostSuffix: string;
  readonly #index: ObjectIndex;
  readonly #dependencies = new Dependencies();
  #objects: readonly TrafficObject[] = [];
  #services: Services = new Map();
  #model = Model.empty;

  constructor(hostSuffix: string) {
    this.#hostSuffix = hostSuffix;
    this.#index = new ObjectIndex(hostSuffix);
  }

  update(objects: readonly TrafficObject[], view: Pick<CatalogView, 'services'>, services?: ReadonlySet<ServiceKey>): TrafficModel {
    const touched: Touched = { tokens: new Set(), wild: [], objects: new Set() };
    if (objects !== this.#objects) replaceObjects(this.#index, objects, touched);
    this.#objects = objects;
    for (const key of services ?? new Set([...this.#services.keys(), ...view.services.keys()])) {
      touchService(key, this.#services.get(key), view.services.get(key), touched);
    }
    this.#services = view.services;
    this.#model = this.#recompile(this.#dirty(touched));
    return this.#model;
  }

  #dirty(touched: Touched): Set<ServiceKey> {
    const dirty = new Set<ServiceKey>();
    for (const token of [...touched.tokens, ...this.#coveredBy(touched.wild)]) {
      for (const owner of this.#dependencies.askers(token)) dirty.add(owner as ServiceKey);
      const own = ownerOf(token);
      if (own !== undefined) dirty.add(own);
    }
    return dirty;
  }

  /** A wildcard is an answer to what is asked of each service that it covers. */
  *#coveredBy(wild: Touched['wild']): Iterable<Token> {
    if (wild.length === 0) return;
    for (const key of this.#services.keys()) {
      const entries = this.#index.at(`entries@${key}`).flatMap((o) => (o.kind === 'ServiceEntry' ? o.spec.hosts : []));
      for (const { kind, pattern } of wild) {
        if (coversService(pattern, key, entries, this.#hostSuffix)) yield `${kind}@${key}`;
      }
    }
  }

  #recompile(dirty: ReadonlySet<ServiceKey>): Model {
    const services: [ServiceKey, ServiceTraffic | undefined][] = [];
    const findings: [string, readonly Finding[] | undefined][] = [];
    for (const key of dirty) {
      const made = this.#compileService(key);
      services.push([key, share(this.#model.services.get(key), made.traffic)]);
      findings.push([key, made.findings.length === 0 ? undefined : share(this.#model.found.get(key), made.findings)]);
    }
    return this.#model.with(this.#model.services.with(services), this.#model.gateways, this.#model.found.with(findings));
  }

  #compileService(key: ServiceKey): CompiledService {
    const service = this.#services.get(key);
    if (service === undefined) {
      this.#dependencies.replace(key, undefined);
      return { traffic: undefined, findings: [] };
    }
    this.compiled += 1;
    const lookup = new Lookup(this.#services, this.#index, this.#hostSuffix, key);
    const made = compileService(service, lookup);
    this.#dependencies.replace(key, lookup.asked);
    return made;
  }
}
