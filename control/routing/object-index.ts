import type { TrafficObject } from '../../core/config/index.ts';
import type { ServiceKey } from '../../core/model/index.ts';
import { hostKeys, isWildcard } from './hosts.ts';
import { type EntryObject, objectId, objectName, type RouteObject } from './objects.ts';

/**
 * Where objects are found: a *token* is the place of one question (`routes@shop/pay`: which routes say something of that
 * service?). Compiling asks tokens, a changed object touches tokens, and so nothing is compiled that asked for nothing that changed.
 */
export type Token = string;
type WildKind = 'routes' | 'rules' | 'checks';

const ownKinds = new Set(['service', 'entries', 'attached', 'routes', 'rules', 'checks', 'shifts']);

/** The service that asks this of itself whenever it is compiled: that need not be kept for each. */
export function ownerOf(token: Token): ServiceKey | undefined {
  const [kind = '', key = ''] = token.split('@');
  return ownKinds.has(kind) && key.includes('/') ? (key as ServiceKey) : undefined;
}

export interface WildHost {
  readonly kind: WildKind;
  readonly pattern: string;
}

interface Places {
  readonly tokens: readonly Token[];
  /** Wildcards are asked for by every service, and so are looked for the other way round. */
  readonly wild: readonly WildHost[];
}

export class ObjectIndex {
  readonly #hostSuffix: string;
  readonly #objects = new Map<string, TrafficObject>();
  readonly #byToken = new Map<Token, Set<TrafficObject>>();
  readonly #wild: Readonly<Record<WildKind, Map<string, Set<TrafficObject>>>> = { routes: new Map(), rules: new Map(), checks: new Map() };

  constructor(hostSuffix: string) {
    this.#hostSuffix = hostSuffix;
  }

  /** In the order in which they were added. */
  at(token: Token): readonly TrafficObject[] {
    return [...(this.#byToken.get(token) ?? [])];
  }

  wildcards(kind: WildKind): ReadonlyMap<string, ReadonlySet<TrafficObject>> {
    return this.#wild[kind];
  }

  get(id: string): TrafficObject | undefined {
    return this.#objects.get(id);
  }

  ids(): Iterable<string> {
    return this.#objects.keys();
  }

  /** Undefined removes. Returns what was and is touched by it. */
  replace(id: string, object: TrafficObject | undefined): Places {
    const before = this.#objects.get(id);
    const places = [before, object].filter((o) => o !== undefined).map((o) => placesOf(o, this.#hostSuffix));
    if (before !== undefined) this.#remove(before);
    if (object === undefined) this.#objects.delete(id);
    else this.#add(id, object);
    return { tokens: places.flatMap((p) => p.tokens), wild: places.flatMap((p) => p.wild) };
  }

  #add(id: string, object: TrafficObject): void {
    this.#objects.set(id, object);
    const { tokens, wild } = placesOf(object, this.#hostSuffix);
    for (const token of tokens) addTo(this.#byToken, token, object);
    for (const { kind, pattern } of wild) addTo(this.#wild[kind], pattern, object);
  }

  #remove(object: TrafficObject): void {
    const { tokens, wild } = placesOf(object, this.#hostSuffix);
    for (const token of tokens) removeFrom(this.#byToken, token, object);
    for (const { kind, pattern } of wild) removeFrom(this.#wild[kind], pattern, object);
  }
}

function addTo<T>(map: Map<string, Set<T>>, key: string, value: T): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([value]));
  else set.add(value);
}

function removeFrom<T>(map: Map<string, Set<T>>, key: string, value: T): void {
  const set = map.get(key);
  set?.delete(value);
  if (set?.size === 0) map.delete(key);
}

function placesOf(object: TrafficObject, hostSuffix: string): Places {
  const self = `object@${objectId(object)}`;
  switch (object.kind) {
    case 'VirtualService':
    case 'HTTPRoute':
    case 'GRPCRoute':
    case 'TLSRoute':
    case 'TCPRoute':
      return routePlaces(object, self, hostSuffix);
    case 'DestinationRule':
      return hostPlaces('rules', [object.spec.host], object.namespace, self, hostSuffix);
    case 'HealthCheckPolicy':
      return hostPlaces('checks', [object.spec.host], object.namespace, self, hostSuffix);
    case 'ServiceEntry':
      return { tokens: [self, ...entryTokens(object, hostSuffix)], wild: [] };
    case 'Gateway': {
      const ports = new Set(object.spec.servers.map((server) => server.port));
      return { tokens: [self, `gateway@${objectName(object)}`, ...[...ports].map((port) => `gateways-on@${port}`)], wild: [] };
    }
    case 'Sidecar':
      return { tokens: [self, `sidecars@${object.namespace}`], wild: [] };
    case 'Telemetry':
      return { tokens: [self, `telemetries@${object.namespace}`], wild: [] };
    case 'TrafficShift':
      return { tokens: [self, `shifts@${object.namespace}/${object.spec.service}`], wild: [] };
    case 'ReferenceGrant':
      return { tokens: [self, `grants@${object.namespace}`], wild: [] };
    default:
      return { tokens: [self], wild: [] };
  }
}

function routePlaces(object: RouteObject, self: Token, hostSuffix: string): Places {
  const delegates = object.spec.http.flatMap(({ delegate }) => (delegate === undefined ? [] : [`delegates@${objectName(delegate)}`]));
  const tokens = [self, ...new Set(delegates), ...subsetTokens(object, hostSuffix)];
  let wild: Places['wild'] = [];
  for (const parent of object.spec.parents) {
    if (parent.type === 'service') tokens.push(`attached@${parent.namespace}/${parent.name}`);
    else if (parent.type === 'gateway') tokens.push(`gateway-routes@${parent.namespace}/${parent.name}`);
    else {
      const places = hostPlaces('routes', object.spec.hosts, object.namespace, self, hostSuffix);
      tokens.push(...places.tokens);
      wild = places.wild;
    }
  }
  return { tokens, wild };
}

function subsetTokens(object: RouteObject, hostSuffix: string): readonly Token[] {
  const actions = object.spec.http.map((rule) => rule.action).filter((action) => action.type === 'route');
  const leading = [
    ...actions.flatMap((action) => [...action.destinations, ...action.mirrors]),
    ...object.spec.l4.flatMap((rule) => rule.destinations),
  ];
  const hosts = leading.filter((d) => d.destination.subset !== undefined).map((d) => d.destination.host);
  return [...new Set(hosts)].flatMap((host) => hostKeys(host, object.namespace, hostSuffix)).map((key) => `uses@${key}`);
}

function hostPlaces(kind: WildKind, hosts: readonly string[], namespace: string, self: Token, hostSuffix: string): Places {
  const exact = hosts.filter((host) => !isWildcard(host)).flatMap((host) => hostKeys(host, namespace, hostSuffix));
  return {
    tokens: [self, ...exact.map((key) => `${kind}@${key}`)],
    wild: hosts.filter(isWildcard).map((host) => ({ kind, pattern: host.toLowerCase() })),
  };
}

/** Its name in the catalog is its object's, and its hosts are further names of that service. */
function entryTokens(object: EntryObject, hostSuffix: string): readonly Token[] {
  const hosts = object.spec.hosts.flatMap((host) => hostKeys(host, object.namespace, hostSuffix));
  return [`entries@${objectName(object)}`, ...hosts.map((key) => `entry@${key}`)];
}
