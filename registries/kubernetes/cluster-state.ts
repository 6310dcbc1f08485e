import type { ServiceRecord } from '../../core/model/index.ts';
import { deepEqual, type RegistryEvent, type RegistryRules, ServiceIndex, type ServicePart } from '../../core/registry/index.ts';
import type { Violation } from '../../core/validate.ts';
import { type NodeObject, type ObjectName, objectKey, type PodObject, type ServiceObject, type SliceObject } from './objects.ts';
import { translateService } from './translate.ts';

/** The kinds of object that make up a service, and what is kept of each. */
export interface Kinds {
  services: ServiceObject;
  slices: SliceObject;
  pods: PodObject;
  nodes: NodeObject;
}

export type Kind = keyof Kinds;

/** Told what is wrong with a service after each of its translations; empty: nothing. */
export type Report = (service: string, violations: readonly Violation[]) => void;

/**
 * The objects of one cluster as far as they were seen, and the services they make. Every change returns the events it causes, at the
 * cost of the services it touches. Single-threaded, no I/O.
 */
export class ClusterState {
  readonly #rules: RegistryRules;
  readonly #objects: { readonly [K in Kind]: Map<string, Kinds[K]> } = {
    services: new Map(),
    slices: new Map(),
    pods: new Map(),
    nodes: new Map(),
  };
  /** Service key → its slices; pod or node key → services with an endpoint there. */
  readonly #slicesOf = new Map<string, Set<string>>();
  readonly #usersOf = { pods: new Map<string, Set<string>>(), nodes: new Map<string, Set<string>>() };
  readonly #linksOf = new Map<string, { readonly pods: readonly string[]; readonly nodes: readonly string[] }>();
  readonly #report: Report;
  readonly #index = new ServiceIndex();

  constructor(rules: RegistryRules, report: Report) {
    this.#rules = rules;
    this.#report = report;
  }

  services(): ServiceRecord[] {
    return this.#index.services();
  }

  put<K extends Kind>(kind: K, object: Kinds[K], cursor: string): RegistryEvent[] {
    return this.#change(kind, new Map([[objectKey(object), object]]), cursor);
  }

  remove(kind: Kind, name: ObjectName, cursor: string): RegistryEvent[] {
    return this.#change(kind, new Map([[objectKey(name), undefined]]), cursor);
  }

  /** Everything of one kind within `scope` (a namespace; undefined for all): what is not named is gone. */
  replace<K extends Kind>(kind: K, scope: string | undefined, objects: readonly Kinds[K][], cursor: string): RegistryEvent[] {
    const changes = new Map<string, Kinds[K] | undefined>();
    for (const [key, object] of this.#objects[kind]) {
      if (scope === undefined || object.namespace === scope) changes.set(key, undefined);
    }
    for (const object of objects) changes.set(objectKey(object), object);
    return this.#change(kind, changes, cursor);
  }

  #change<K extends Kind>(kind: K, changes: ReadonlyMap<string, Kinds[K] | undefined>, cursor: string): RegistryEvent[] {
    const touched = new Set<string>();
    const touch = (key: string) => {
      for (const service of this.#touched(kind, key)) touched.add(service);
    };
    for (const [key, object] of changes) {
      // Most updates of pods and nodes are status reports that change nothing kept here.
      if (deepEqual(this.#objects[kind].get(key), object)) continue;
      touch(key);
      this.#store(kind, key, object);
      touch(key);
    }
    if (kind === 'slices') for (const service of touched) this.#relink(service);
    const events = this.#retranslate(touched, cursor);
    // Names collide or part when services come, go or are relabelled, not with their endpoints.
    if (kind === 'services' && events.length > 0) this.#report('(names)', this.#index.violations());
    return events;
  }

  #store<K extends Kind>(kind: K, key: string, object: Kinds[K] | undefined): void {
    const before = this.#objects[kind].get(key);
    if (object === undefined) this.#objects[kind].delete(key);
    else this.#objects[kind].set(key, object);
    if (kind !== 'slices') return;
    if (before !== undefined) this.#slicesOf.get(serviceOf(before as SliceObject))?.delete(key);
    if (object === undefined) return;
    const service = serviceOf(object as SliceObject);
    this.#slicesOf.set(service, (this.#slicesOf.get(service) ?? new Set()).add(key));
  }

  #touched(kind: Kind, key: string): string[] {
    if (kind === 'services') return [key];
    if (kind === 'slices') {
      const slice = this.#objects.slices.get(key);
      return slice === undefined ? [] : [serviceOf(slice)];
    }
    return [...(this.#usersOf[kind].get(key) ?? [])];
  }

  /** Pods and nodes that the service's slices name now. */
  #relink(service: string): void {
    const old = this.#linksOf.get(service);
    for (const kind of ['pods', 'nodes'] as const) {
      for (const key of old?.[kind] ?? []) {
        const users = this.#usersOf[kind].get(key);
        if (users?.delete(service) === true && users.size === 0) this.#usersOf[kind].delete(key);
      }
    }
    const slices = this.#slices(service);
    if (slices.length === 0) {
      this.#slicesOf.delete(service);
      this.#linksOf.delete(service);
      return;
    }
    const pods = slices.flatMap((s) => s.endpoints.flatMap((e) => (e.pod === undefined ? [] : [`${s.namespace}/${e.pod}`])));
    const nodes = [...new Set(slices.flatMap((s) => s.endpoints.flatMap((e) => (e.node === '' ? [] : [`/${e.node}`]))))];
    this.#linksOf.set(service, { pods, nodes });
    for (const key of pods) this.#usersOf.pods.set(key, (this.#usersOf.pods.get(key) ?? new Set()).add(service));
    for (const key of nodes) this.#usersOf.nodes.set(key, (this.#usersOf.nodes.get(key) ?? new Set()).add(service));
  }

  #slices(service: string): SliceObject[] {
    return [...(this.#slicesOf.get(service) ?? [])].flatMap((key) => this.#objects.slices.get(key) ?? []);
  }

  #retranslate(services: ReadonlySet<string>, cursor: string): RegistryEvent[] {
    return [...services].flatMap((key) => {
      const { part, violations } = this.#translate(key);
      this.#report(key, violations);
      return this.#index.set(key, part, cursor);
    });
  }

  #translate(key: string): { readonly part: readonly ServicePart[]; readonly violations: readonly Violation[] } {
    const service = this.#objects.services.get(key);
    if (service === undefined) return { part: [], violations: [] };
    const pod = (name: string) => this.#objects.pods.get(`${service.namespace}/${name}`);
    const node = (name: string) => this.#objects.nodes.get(`/${name}`);
    const translation = translateService({ service, slices: this.#slices(key), pod, node }, this.#rules);
    if (translation.kind === 'service') return { part: [translation.part], violations: [] };
    return { part: [], violations: translation.violation === undefined ? [] : [translation.violation] };
  }
}

function serviceOf(slice: SliceObject): string {
  return `${slice.namespace}/${slice.service}`;
}
