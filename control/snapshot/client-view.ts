import { principalOf, type ServiceKey, serviceKey } from '../../core/model/index.ts';
import type { ChangedNames, ClientClass as Client, NodeClaims, ResourceSet, ResourceView } from '../../core/xds/index.ts';
import { authorize, type Caller } from '../policy/index.ts';
import type { Dialect, DialectContext, DialectResource, FindResource } from './dialect.ts';
import type { DialectSnapshot, DialectView } from './dialect-view.ts';
import type { AuthzIr, ClusterIr, Resource, ResourceKind } from './ir.ts';
import { NarrowedMap } from './narrowed-map.ts';

type Personal = ReadonlyMap<string, ReadonlyMap<string, DialectResource>>;

/**
 * What one client gets of its class: only what belongs to services that it may call, and what is made for it alone by its
 * claims. A gateway carries the calls of others and so sees its whole class.
 */
export class ClientView implements ResourceView {
  readonly #class: DialectView;
  readonly #dialect: Dialect;
  readonly #client: Client;
  readonly #claims: NodeClaims;
  readonly #caller: Caller | undefined;
  /** Of authz resources; equal content is the same object, so an answer holds as long as its key lives. */
  readonly #verdicts = new WeakMap<Resource, boolean>();
  /** What the personal resources were made from. */
  #asked = new Map<string, Resource | undefined>();
  #personal: Personal = new Map();
  #from: DialectSnapshot | undefined;
  #set: ResourceSet | undefined;
  #madeFor: DialectContext | undefined;

  constructor(view: DialectView, dialect: Dialect, client: Client) {
    this.#class = view;
    this.#dialect = dialect;
    this.#client = client;
    this.#claims = { ...client.claims, labels: client.labels };
    const { identity, cluster } = client;
    this.#caller = client.kind === 'gateway' ? undefined : { principal: principalOf(identity), namespace: identity.namespace, cluster };
  }

  current(): ResourceSet | undefined {
    const now = this.#class.current();
    if (now === undefined || now === this.#from) return this.#set;
    if (this.#outdated(now)) this.#remake(now);
    this.#from = now;
    this.#set = this.#assemble(now);
    return this.#set;
  }

  subscribe(listener: (changed?: readonly ChangedNames[]) => void): () => void {
    const end = this.#class.subscribe((changed) => {
      const now = this.#class.current();
      const own = now !== undefined && this.#outdated(now) ? this.#remake(now) : [];
      if (changed === undefined) listener();
      else listener(own.length === 0 ? changed : [...changed, ...own]);
    });
    // What is made for this client must be there before the first change, or that change could not be told.
    this.current();
    return end;
  }

  #assemble(now: DialectSnapshot): ResourceSet {
    if (this.#caller === undefined && this.#personal.size === 0) return now.maps;
    const open = this.#dialect.openTypes ?? [];
    return new Map(
      [...now.maps].map(([typeUrl, map]) => {
        const visible = open.includes(typeUrl) ? () => true : (resource: DialectResource) => this.#visible(now, resource);
        return [typeUrl, new NarrowedMap(map, visible, this.#personal.get(typeUrl))];
      }),
    );
  }

  #visible(now: DialectSnapshot, resource: DialectResource): boolean {
    const owner = now.owner(resource);
    return owner === undefined || this.#mayCall(now, owner);
  }

  #mayCall(now: DialectSnapshot, service: ServiceKey): boolean {
    if (this.#caller === undefined) return true;
    const authz = now.snapshot.resources.authz.get(service);
    if (authz === undefined) return false;
    let verdict = this.#verdicts.get(authz);
    if (verdict === undefined) {
      const { rules, elsewhere } = authz.value as AuthzIr;
      verdict = elsewhere === true || authorize(rules, this.#caller).allowed;
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
    return owner === undefined || this.#mayCall(now, owner) ? found : undefined;
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
