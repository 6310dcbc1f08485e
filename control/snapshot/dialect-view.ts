import type { ServiceKey } from '../../core/model/index.ts';
import type { ChangedNames } from '../../core/xds/index.ts';
import { PersistentMap } from '../catalog/index.ts';
import { type Dialect, type DialectContext, type DialectResource, meshOwner } from './dialect.ts';
import type { ResourceKind, Snapshot } from './ir.ts';
import { isGatewayOwner } from './owners.ts';

export type DialectMaps = ReadonlyMap<string, PersistentMap<string, DialectResource>>;

/** One state of a view: the resources in one dialect, whose they are, and the snapshot that they were made from. */
export interface DialectSnapshot {
  readonly snapshot: Snapshot;
  readonly context: DialectContext;
  readonly maps: DialectMaps;
  /** The service that contributed it; undefined for what belongs to none. */
  owner(resource: DialectResource): ServiceKey | undefined;
}

/** Listens to a class: what changed, or undefined where anything may have. */
export type ViewListener = (changed: readonly ChangedNames[] | undefined) => void;

/** One class of clients in one dialect. Follows the class's snapshots, translating again only the owners that changed. */
export class DialectView {
  readonly #dialect: Dialect;
  readonly #take: () => { readonly snapshot: Snapshot; readonly context: DialectContext } | undefined;
  readonly #onActive: (active: boolean) => void;
  readonly #listeners = new Set<ViewListener>();
  readonly #owners = new WeakMap<DialectResource, ServiceKey>();
  readonly #byOwner = new Map<string, readonly DialectResource[]>();
  #gathered: readonly DialectResource[] = [];
  #now: DialectSnapshot | undefined;

  constructor(
    dialect: Dialect,
    take: () => { readonly snapshot: Snapshot; readonly context: DialectContext } | undefined,
    onActive: (active: boolean) => void,
  ) {
    this.#dialect = dialect;
    this.#take = take;
    this.#onActive = onActive;
  }

  current(): DialectSnapshot | undefined {
    // While somebody listens, what they see changes only in refresh(), so that they are told of each change.
    if (this.#now === undefined || this.#listeners.size === 0) this.#read();
    return this.#now;
  }

  subscribe(listener: ViewListener): () => void {
    const entry: ViewListener = (changed) => listener(changed);
    if (this.#listeners.size === 0) this.#read();
    this.#listeners.add(entry);
    if (this.#listeners.size === 1) this.#onActive(true);
    return () => {
      if (this.#listeners.delete(entry) && this.#listeners.size === 0) this.#onActive(false);
    };
  }

  refresh(): void {
    const before = this.#now?.snapshot;
    const changed = this.#read();
    // What is made for one client alone may be of what nobody else is told: a routing, at Envoy's sidecars.
    const personal = this.#dialect.personal !== undefined && this.#now?.snapshot !== before;
    if (changed !== undefined && changed.length === 0 && !personal) return;
    for (const listener of [...this.#listeners]) listener(changed);
  }

  /** Undefined: anything may have changed. */
  #read(): readonly ChangedNames[] | undefined {
    const before = this.#now;
    const taken = this.#take();
    if (taken === undefined) return [];
    const { snapshot, context } = taken;
    if (before?.snapshot === snapshot && before.context === context) return [];
    const fresh = before === undefined || before.context !== context;
    const owners = fresh
      ? new Set([...snapshot.owners.keys(), ...this.#byOwner.keys()])
      : snapshot.owners.changedKeys(before.snapshot.owners);
    const edits = new Edits(this.#dialect.typeUrls);
    for (const owner of owners) {
      const made = this.#retranslate(owner, snapshot, context, edits);
      // Who may call a service decides who may see what belongs to it.
      const authz = (of: Snapshot | undefined) => of?.resources.authz.get(owner);
      if (authz(before?.snapshot) !== authz(snapshot)) edits.touch(made);
    }
    if (fresh || this.#concernsAll(before.snapshot, snapshot)) this.#regather(snapshot, context, edits);
    const maps = edits.applyTo(before?.maps);
    this.#now = { snapshot, context, maps, owner: (resource) => this.#owners.get(resource) };
    return before === undefined ? undefined : edits.changes(before.maps, maps);
  }

  #retranslate(owner: string, snapshot: Snapshot, context: DialectContext, edits: Edits): readonly DialectResource[] {
    const before = this.#byOwner.get(owner) ?? [];
    const resources = snapshot.owners.get(owner) ?? [];
    const next = keepSame(before, resources.length === 0 ? [] : this.#dialect.translate(owner, resources, context));
    edits.replace(before, next);
    if (next.length === 0) this.#byOwner.delete(owner);
    else this.#byOwner.set(owner, next);
    // A Gateway object is for whoever its selector fits, whomever that may call.
    if (owner !== meshOwner && !isGatewayOwner(owner)) for (const r of next) this.#owners.set(r, owner as ServiceKey);
    return next;
  }

  #regather(snapshot: Snapshot, context: DialectContext, edits: Edits): void {
    const { gather } = this.#dialect;
    if (gather === undefined) return;
    const next = keepSame(this.#gathered, gather.build(snapshot, context));
    edits.replace(this.#gathered, next);
    this.#gathered = next;
  }

  #concernsAll(before: Snapshot, after: Snapshot): boolean {
    const same = (kind: ResourceKind) => before.resources[kind] === after.resources[kind];
    return this.#dialect.gather?.kinds.some((kind) => !same(kind)) ?? false;
  }
}

/** One change of a class's maps. */
class Edits {
  readonly #types: readonly string[];
  readonly #edits = new Map<string, Map<string, DialectResource | undefined>>();
  readonly #touched = new Map<string, Set<string>>();

  constructor(types: readonly string[]) {
    this.#types = types;
  }

  replace(before: readonly DialectResource[], next: readonly DialectResource[]): void {
    for (const r of before) {
      const edits = this.#of(r.typeUrl);
      // A name may move from one owner to another in one change: who adds it wins over who lets it go.
      if (edits.get(r.name) === undefined) edits.set(r.name, undefined);
    }
    for (const r of next) this.#of(r.typeUrl).set(r.name, r);
  }

  touch(resources: readonly DialectResource[]): void {
    for (const r of resources) {
      const names = this.#touched.get(r.typeUrl);
      if (names === undefined) this.#touched.set(r.typeUrl, new Set([r.name]));
      else names.add(r.name);
    }
  }

  applyTo(maps: DialectMaps | undefined): DialectMaps {
    return new Map(
      this.#types.map((typeUrl) => {
        const map = maps?.get(typeUrl) ?? PersistentMap.empty<string, DialectResource>();
        const edits = this.#edits.get(typeUrl);
        return [typeUrl, edits === undefined ? map : map.with(edits)];
      }),
    );
  }

  changes(before: DialectMaps, after: DialectMaps): ChangedNames[] {
    return this.#types.flatMap((typeUrl) => {
      const old = before.get(typeUrl);
      const now = after.get(typeUrl);
      const names = new Set(this.#touched.get(typeUrl));
      if (old !== now) for (const name of this.#edits.get(typeUrl)?.keys() ?? []) if (old?.get(name) !== now?.get(name)) names.add(name);
      return names.size === 0 ? [] : [{ typeUrl, names: [...names] }];
    });
  }

  #of(typeUrl: string): Map<string, DialectResource | undefined> {
    let edits = this.#edits.get(typeUrl);
    if (edits === undefined) {
      edits = new Map();
      this.#edits.set(typeUrl, edits);
    }
    return edits;
  }
}

/** Resources whose version is as before stay the same objects, with the bytes they may have. */
function keepSame(before: readonly DialectResource[], next: readonly DialectResource[]): readonly DialectResource[] {
  const known = new Map(before.map((r) => [`${r.typeUrl} ${r.name}`, r]));
  return next.map((r) => {
    const old = known.get(`${r.typeUrl} ${r.name}`);
    return old?.version === r.version ? old : r;
  });
}
