import type { IngressServer, Routing } from '../../core/traffic/index.ts';
import type { IngressEnd, IngressRule, IngressTls } from '../engine/index.ts';
import type { DataPlaneState, IngressListenerState } from '../state/index.ts';
import { clusterTables, type Rules } from '../tables.ts';
import { hostRouting, serverNames } from './host-routing.ts';

export type ServerTls = NonNullable<IngressServer['tls']>;

/** Undefined: there is none that could be used. */
export type FindTls = (tls: ServerTls) => IngressTls | undefined;

/** What an ingress gateway's tables hold. What did not change is the same object as before. */
export class IngressRules {
  readonly #rules = new WeakMap<IngressListenerState, { readonly found: readonly unknown[]; readonly rule: IngressRule }>();
  readonly #routings = new Map<string, { readonly from: readonly unknown[]; readonly routing: Routing }>();

  /** `listeners`: those that are open, or about to be. */
  of(state: DataPlaneState, listeners: readonly IngressListenerState[], find: FindTls): Rules {
    const ingress = new Map<string, IngressRule>();
    const routings = new Map(state.routings);
    const made = new Set<string>();
    for (const listener of listeners) {
      ingress.set(listener.name, this.#ruleOf(listener, find));
      for (const group of httpGroups(listener)) {
        made.add(group.name);
        routings.set(group.name, this.#routingOf(group, state));
      }
    }
    for (const name of this.#routings.keys()) if (!made.has(name)) this.#routings.delete(name);
    return { sni: new Map(), plain: new Map(), ingress, clusters: clusterTables(state), routings };
  }

  #ruleOf(listener: IngressListenerState, find: FindTls): IngressRule {
    const found = listener.servers.map(({ tls }) => (tls === undefined ? undefined : find(tls)));
    const known = this.#rules.get(listener);
    if (known !== undefined && isSame(known.found, found)) return known.rule;
    const rule = { ends: endsOf(listener, found) };
    this.#rules.set(listener, { found, rule });
    return rule;
  }

  #routingOf({ name, servers }: HttpGroup, { routings }: DataPlaneState): Routing {
    const from = servers.flatMap((server) => [server, routings.get(server.routing)]);
    const known = this.#routings.get(name);
    if (known !== undefined && isSame(known.from, from)) return known.routing;
    const routing = hostRouting(servers, (each) => routings.get(each));
    this.#routings.set(name, { from, routing });
    return routing;
  }
}

/** Servers that a connection cannot be told apart by: those in the clear share theirs, by Host; of TLS each has its own. */
interface HttpGroup {
  readonly name: string;
  readonly servers: readonly IngressServer[];
}

function httpGroups({ name, servers }: IngressListenerState): readonly HttpGroup[] {
  const http = servers.filter(({ protocol }) => protocol === 'http');
  const plain = http.filter(({ tls }) => tls === undefined);
  const secure = http.filter(({ tls }) => tls !== undefined).map((server) => ({ name: ledBy(name, server), servers: [server] }));
  return plain.length === 0 ? secure : [{ name: ledBy(name), servers: plain }, ...secure];
}

/** Not the name of any Routing resource. */
function ledBy(listener: string, server?: IngressServer): string {
  return server === undefined ? `${listener}|hosts|` : `${listener}|hosts|${server.name}`;
}

function endsOf({ name, servers }: IngressListenerState, found: readonly (IngressTls | undefined)[]): readonly IngressEnd[] {
  const ends = servers.map((server, index): IngressEnd => {
    const { protocol, tls } = server;
    const hosts = serverNames(server);
    if (protocol === 'tls-passthrough') {
      return { name: server.name, mode: 'passthrough', hosts, routingName: server.routing, protocol: 'tcp' };
    }
    const ofHttp = tls === undefined ? ledBy(name) : ledBy(name, server);
    const end = { name: server.name, hosts, routingName: protocol === 'http' ? ofHttp : server.routing, protocol };
    const usable = found[index];
    if (tls === undefined) return { ...end, mode: 'plain' };
    return { ...end, mode: 'terminate', ...(usable === undefined ? {} : { tls: usable }) };
  });
  const plain = ends.find((end) => end.mode === 'plain');
  return ends.filter((end) => end.mode !== 'plain' || end === plain);
}

function isSame(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((each, index) => each === b[index]);
}
