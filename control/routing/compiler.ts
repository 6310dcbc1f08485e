import type { TrafficObject } from '../../core/config/index.ts';
import type { ServiceKey } from '../../core/model/index.ts';
import type { CatalogView, MergedService } from '../catalog/index.ts';
import { replaceObjects, type Touched, touchService } from './changes.ts';
import { checkCompiledGateway, checkCompiledService } from './check-compiled.ts';
import { clientRulesOf } from './client-rules.ts';
import type { ClientRules, CompiledCheck, CompiledGateway, Finding, ServiceTraffic, TrafficModel } from './contract.ts';
import { Dependencies } from './dependencies.ts';
import { coversService } from './hosts.ts';
import { Lookup } from './lookup.ts';
import { compileService } from './mesh-service.ts';
import { Model } from './model.ts';
import { ObjectIndex, ownerOf, type Token } from './object-index.ts';
import { check, compileNamed, type Made } from './owners.ts';
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

/** `check`: whose faults are findings of the objects that cause them; absent: nothing is looked at. */
export function createTrafficCompiler(options: { readonly hostSuffix: string; readonly check?: CompiledCheck }): TrafficCompiler {
  return new Compiler(options.hostSuffix, options.check);
}

type Services = ReadonlyMap<ServiceKey, MergedService>;

class Compiler implements TrafficCompiler {
  compiled = 0;
  readonly #hostSuffix: string;
  readonly #check: CompiledCheck | undefined;
  readonly #index: ObjectIndex;
  readonly #dependencies = new Dependencies();
  #objects: readonly TrafficObject[] = [];
  #services: Services = new Map();
  #model = Model.empty;

  constructor(hostSuffix: string, check: CompiledCheck | undefined) {
    this.#check = check;
    this.#hostSuffix = hostSuffix;
    this.#index = new ObjectIndex(hostSuffix);
  }

  update(objects: readonly TrafficObject[], view: Pick<CatalogView, 'services'>, services?: ReadonlySet<ServiceKey>): TrafficModel {
    const touched: Touched = { tokens: new Set(), wild: [], objects: new Set() };
    let clients = this.#model.clients;
    if (objects !== this.#objects) {
      replaceObjects(this.#index, objects, touched);
      clients = clientRulesOf(objects, this.#hostSuffix, clients);
    }
    this.#objects = objects;
    for (const key of services ?? new Set([...this.#services.keys(), ...view.services.keys()])) {
      touchService(key, this.#services.get(key), view.services.get(key), touched);
    }
    this.#services = view.services;
    this.#model = this.#recompile(this.#dirty(touched), clients);
    return this.#model;
  }

  /** Owners (`service:KEY`, `gateway:NAMESPACE/NAME`, `check:ID`) of what may be different now. */
  #dirty(touched: Touched): Set<string> {
    const dirty = new Set<string>();
    for (const token of [...touched.tokens, ...this.#coveredBy(touched.wild)]) {
      for (const owner of this.#dependencies.askers(token)) dirty.add(owner);
      const own = ownerOf(token);
      if (own !== undefined) dirty.add(`service:${own}`);
      if (token.startsWith('gateway@')) dirty.add(token.replace('@', ':'));
    }
    for (const id of touched.objects) dirty.add(`check:${id}`);
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

  #recompile(dirty: ReadonlySet<string>, clients: ClientRules): Model {
    const model = this.#model;
    const services: [ServiceKey, ServiceTraffic | undefined][] = [];
    const gateways: [string, CompiledGateway | undefined][] = [];
    const findings: [string, readonly Finding[] | undefined][] = [];
    for (const owner of dirty) {
      const name = owner.slice(owner.indexOf(':') + 1);
      const made = this.#compileOwner(owner, name);
      if (owner.startsWith('service:')) services.push([name as ServiceKey, made.traffic]);
      if (owner.startsWith('gateway:')) gateways.push([name, made.gateway]);
      findings.push([owner, made.findings.length === 0 ? undefined : share(model.found.get(owner), made.findings)]);
    }
    return model.with(model.services.with(services), model.gateways.with(gateways), model.found.with(findings), clients);
  }

  #compileOwner(owner: string, name: string): Made {
    const kind = owner.slice(0, owner.indexOf(':'));
    const lookup = new Lookup(this.#services, this.#index, this.#hostSuffix, kind === 'service' ? (name as ServiceKey) : undefined);
    const made =
      kind === 'service'
        ? this.#compileService(name as ServiceKey, lookup)
        : kind === 'gateway'
          ? this.#compileGateway(name, lookup)
          : check(name, lookup);
    if (made !== undefined) this.compiled += 1;
    this.#dependencies.replace(owner, made === undefined ? undefined : lookup.asked);
    return made ?? { findings: [] };
  }

  #compileService(key: ServiceKey, lookup: Lookup): Made | undefined {
    const service = this.#services.get(key);
    if (service === undefined) return undefined;
    const made = compileService(service, lookup);
    const traffic = share(this.#model.service(key), made.traffic);
    if (this.#check === undefined) return { ...made, traffic };
    return { traffic, findings: [...made.findings, ...checkCompiledService(service, traffic, lookup, this.#check)] };
  }

  #compileGateway(name: string, lookup: Lookup): Made | undefined {
    const made = compileNamed(name, lookup);
    if (made === undefined) return undefined;
    const gateway = share(this.#model.gateways.get(name), made.gateway);
    const object = lookup.gateway(name, 'istio') ?? lookup.gateway(name, 'gateway-api');
    if (this.#check === undefined || object === undefined || gateway === undefined) return { ...made, gateway };
    return { gateway, findings: [...made.findings, ...checkCompiledGateway(object, gateway, lookup, this.#check)] };
  }
}
