import { principalOf, type ServiceKey, serviceKey } from '../../core/model/index.ts';
import {
  type ChangedNames,
  type ClientClass as Client,
  envoyTypeUrls,
  type NodeClaims,
  nativeTypeUrls,
  type ResourceSet,
  type ResourceView,
} from '../../core/xds/index.ts';
import { type Caller, mayBeAllowed } from '../policy/index.ts';
import type { Dialect, DialectContext, DialectResource, FindResource } from './dialect.ts';
import type { DialectSnapshot, DialectView } from './dialect-view.ts';
import type { AuthzIr, ClusterIr, Resource, ResourceKind } from './ir.ts';
import { NarrowedMap } from './narrowed-map.ts';
import type { VisibleServices } from './visible-services.ts';

type Personal = ReadonlyMap<string, ReadonlyMap<string, DialectResource>>;

/** What a client's place in the mesh comes to now. */
export interface Standing {
  /** Equal: the same class, so that its view need not be changed for another. */
  readonly classId: string;
  readonly classView: () => DialectView;
  /** By its Sidecar; undefined: it sees all that it may call. */
  readonly visible: VisibleServices | undefined;
}

/** Where rules lead, whose names are not seen: how services are called is said by the other types. */
const destinations: ReadonlySet<string> = new Set([
  nativeTypeUrls.cluster,
  nativeTypeUrls.loadAssignment,
  envoyTypeUrls.cluster,
  envoyTypeUrls.loadAssignment,
]);

/**
 * What one client gets of its class: only what belongs to services that it may call and that its Sidecar lets it see, and what is made
 * for it alone by its claims. A gateway carries the calls of others and so sees its whole class.
 */
export class ClientView implements ResourceView {
  readonly #stand: () => Standing;
  #standing: Standing;
  #class: DialectView;
  readonly #dialect: Dialect;
  readonly #client: Client;
  readonly #claims: NodeClaims;
  readonly #caller: Caller | undefined;
  readonly #onActive: (active: boolean) => void;
  /** Of authz resources; equal content is the same object, so an answer holds as long as its key lives. */
  readonly #verdicts = new WeakMap<Resource, boolean>();
  /** What the personal resources were made from. */
  #asked = new Map<string, Resource | undefined>();
  #personal: Personal = new Map();
  #from: DialectSnapshot | undefined;
  #set: ResourceSet | undefined;
  #madeFor: DialectContext | undefined;

  /** Who is told, and what ends its subscription to the class. */
  readonly #listening = new Map<(changed?: readonly ChangedNames[]) => void, () => void>();

  /** `onActive` is told when somebody begins to listen and when nobody does any more: `follow` is to be called meanwhile. */
  constructor(stand: () => Standing, dialect: Dialect, client: Client, onActive: (active: boolean) => void) {
    this.#stand = stand;
    this.#onActive = onActive;
    this.#standing = stand();
    this.#class = this.#standing.classView();
    this.#dialect = dialect;
    this.#client = client;
    this.#claims = { ...client.claims, labels: client.labels };
    const { identity, cluster } = client;
    this.#caller = client.kind === 'gateway' ? undefined : { principal: principalOf(identity), namespace: identity.namespace, cluster };
  }

  current(): ResourceSet | undefined {
    // Whoever listens is told of each change by follow().
    if (this.#listening.size === 0) this.#move();
    const now = this.#class.current();
    if (now === undefined || now === this.#from) return this.#set;
    if (this.#outdated(now)) this.#remake(now);
    this.#from = now;
    this.#set = this.#assemble(now);
    return this.#set;
  }

  subscribe(listener: (changed?: readonly ChangedNames[]) => void): () => void {
    if (this.#listening.size === 0) this.#move();
    const entry = (changed?: readonly ChangedNames[]) => listener(changed);
    this.#listening.set(entry, this.#listen(entry));
    if (this.#listening.size === 1) this.#onActive(true);
    // What is made for this client must be there before the first change, or that change could not be told.
    this.current();
    return () => {
      const end = this.#listening.get(entry);
      if (end === undefined) return;
      end();
      this.#listening.delete(entry);
      if (this.#listening.size === 0) this.#onActive(false);
    };
  }

  /** After each change of what snapshots are made from, once its class has been brought up to date. */
  follow(): void {
    const before = this.#class;
    if (this.#listening.size === 0 || !this.#move()) return;
    if (this.#class !== before) {
      for (const [listener, end] of [...this.#listening]) {
        this.#listening.set(listener, this.#listen(listener));
        end();
      }
    }
    const now = this.#class.current();
    if (now !== undefined && this.#outdated(now)) this.#remake(now);
    for (const listener of [...this.#listening.keys()]) listener();
  }

  #listen(listener: (changed?: readonly ChangedNames[]) => void): () => void {
    return this.#class.subscribe((changed) => {
      const now = this.#class.current();
      const own = now !== undefined && this.#outdated(now) ? this.#remake(now) : [];
      if (changed === undefined) listener();
      else if (changed.length + own.length > 0) listener([...changed, ...own]);
    });
  }

  /** Takes the standing of now; whether anything that this client is told may be another for it. */
  #move(): boolean {
    const before = this.#standing;
    const now = this.#stand();
    const sameClass = before.classId === now.classId;
    if (sameClass && before.visible === now.visible) return false;
    this.#standing = now;
    if (!sameClass) this.#class = now.classView();
    this.#from = undefined;
    return true;
  }

  #assemble(now: DialectSnapshot): ResourceSet {
    if (this.#caller === undefined && this.#personal.size === 0) return now.maps;
    const { visible: seen } = this.#standing;
    const open = this.#dialect.openTypes ?? [];
    return new Map(
      [...now.maps].map(([typeUrl, map]) => {
        const isSeen = seen === undefined ? () => true : destinations.has(typeUrl) ? seen.reaches : seen.sees;
        const visible = open.includes(typeUrl) ? () => true : (resource: DialectResource) => this.#visible(now, resource, isSeen);
        return [typeUrl, new NarrowedMap(map, visible, this.#personal.get(typeUrl))];
      }),
    );
  }

  #visible(now: DialectSnapshot, resource: DialectResource, isSeen: (service: ServiceKey) => boolean): boolean {
    const owner = now.owner(resource);
    return owner === undefined || (isSeen(owner) && this.#mayCall(now, owner));
  }

  #mayCall(now: DialectSnapshot, service: ServiceKey): boolean {
    if (this.#caller === undefined) return true;
    const authz = now.snapshot.resources.authz.get(service);
    if (authz === undefined) return false;
    let verdict = this.#verdicts.get(authz);
    if (verdict === undefined) {
      const { rules, elsewhere } = authz.value as AuthzIr;
      verdict = elsewhere === true || mayBeAllowed(rules, this.#caller);
      this.#verdicts.set(authz, verdict);
    }
    return verdict;
  }

  #outdated(now: DialectSnapshot): boolean {
    if (this.#dialect.personal === undefined) return false;
    if (this.#madeFor !== now.context) return true;
    for (const [id, seen] of this.#asked) if (this.#lookUp(now, id) !== seen) return true;
    return false;
  }

  /** Makes the client's own resources anew; returns those that changed. */
  #remake(now: DialectSnapshot): readonly ChangedNames[] {
    const before = this.#personal;
    const asked = new Map<string, Resource | undefined>();
    const find = ((kind: ResourceKind, name: string) => {
      const id = `${kind} ${name}`;
      const found = this.#lookUp(now, id);
      asked.set(id, found);
      return found;
    }) as FindResource;
    const made = this.#dialect.personal?.(this.#claims, find, now.context, this.#client.identity) ?? [];
    this.#asked = asked;
    this.#madeFor = now.context;
    const types = new Map<string, Map<string, DialectResource>>();
    for (const r of made) {
      const map = types.get(r.typeUrl) ?? new Map<string, DialectResource>();
      const old = before.get(r.typeUrl)?.get(r.name);
      map.set(r.name, old?.version === r.version ? old : r);
      types.set(r.typeUrl, map);
    }
    this.#personal = types;
    this.#from = undefined;
    return difference(before, types);
  }

  /** Who enforces a policy has to know it, also of a service that it may not call; the rest is for callers. */
  #lookUp(now: DialectSnapshot, id: string): Resource | undefined {
    const space = id.indexOf(' ');
    const kind = id.slice(0, space) as ResourceKind;
    const found = now.snapshot.resources[kind].get(id.slice(space + 1)) as Resource | undefined;
    if (found === undefined || kind === 'authz' || kind === 'bundle' || kind === 'inbound') return found;
    const owner = this.#ownerOf(now, found);
    if (owner === undefined) return found;
    const { visible } = this.#standing;
    const seen = visible === undefined || (kind === 'cluster' || kind === 'endpoints' ? visible.reaches(owner) : visible.sees(owner));
    return seen && this.#mayCall(now, owner) ? found : undefined;
  }

  #ownerOf(now: DialectSnapshot, resource: Resource): ServiceKey | undefined {
    const cluster = clusterBehind(resource);
    const named = cluster === undefined ? resource : now.snapshot.resources.cluster.get(cluster);
    const value = named?.value as Partial<ClusterIr> | undefined;
    return value?.namespace === undefined || value.service === undefined ? undefined : serviceKey(value.namespace, value.service);
  }
}

/** The xDS cluster that says whose it is: of a routing, `PORT|HOST`, that of the whole service. */
function clusterBehind({ kind, name }: Resource): string | undefined {
  if (kind === 'endpoints') return name;
  return kind === 'routing' && /^[0-9]+\|/.test(name) ? `outbound|${name.replace('|', '||')}` : undefined;
}

function difference(before: Personal, after: Personal): ChangedNames[] {
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((typeUrl) => {
    const [old, now] = [before.get(typeUrl), after.get(typeUrl)];
    const names = [...new Set([...(old?.keys() ?? []), ...(now?.keys() ?? [])])].filter((name) => old?.get(name) !== now?.get(name));
    return names.length === 0 ? [] : [{ typeUrl, names }];
  });
}
