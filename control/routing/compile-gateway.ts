import type { ServiceKey } from '../../core/model/index.ts';
import type { IngressListener, IngressServer, Routing } from '../../core/traffic/index.ts';
import { compareText } from '../catalog/index.ts';
import type { CompiledGateway, Finding } from './contract.ts';
import { type GatewayContext, httpRouting, l4Routing } from './gateway-routing.ts';
import { hostsOf, type PlacedServer, protocolOf, serverName, serversOf } from './gateway-server.ts';
import type { Lookup } from './lookup.ts';
import { findingOf, type GatewayObject, objectName } from './objects.ts';

export interface GatewayResult {
  readonly gateway: CompiledGateway;
  readonly findings: readonly Finding[];
}

interface Draft {
  readonly servers: Map<number, IngressServer[]>;
  readonly routings: Map<string, Routing>;
  readonly findings: Finding[];
}

/**
 * What one Gateway adds to the ingress gateways that it selects. Several Gateways may share a port: in the clear the oldest of them
 * holds the virtual hosts of all that select the same gateways; by TLS each has its own servers, told apart by server name.
 */
export function compileGateway(gateway: GatewayObject, lookup: Lookup): GatewayResult {
  const services = new Set<ServiceKey>();
  const context: GatewayContext = { lookup, onService: (key) => services.add(key) };
  const draft: Draft = { servers: new Map(), routings: new Map(), findings: [] };
  for (const placed of serversOf(gateway)) addServer(placed, neighboursOf(placed, lookup), context, draft);
  draft.findings.push(...overlaps(gateway, lookup));
  const listeners = [...draft.servers]
    .sort(([a], [b]) => a - b)
    .map(([port, servers]): IngressListener => ({ address: '', port, servers }));
  return {
    gateway: {
      name: objectName(gateway),
      selector: gateway.spec.selector,
      listeners,
      routings: draft.routings,
      services: [...services].sort(compareText),
    },
    findings: draft.findings,
  };
}

/** All servers of its port on the same ingress gateways, the oldest Gateway's first, this one among them. */
function neighboursOf(placed: PlacedServer, lookup: Lookup): readonly PlacedServer[] {
  const { port } = placed.server;
  return lookup
    .gatewaysOn(port)
    .filter((other) => sameSelector(other, placed.gateway))
    .flatMap((other) => serversOf(other).filter((s) => s.server.port === port));
}

function sameSelector(a: GatewayObject, b: GatewayObject): boolean {
  const [one, other] = [Object.entries(a.spec.selector), Object.entries(b.spec.selector)];
  return one.length === other.length && one.every(([key, value]) => b.spec.selector[key] === value);
}

/** One ingress gateway may be selected by both, though neither knows which: what they share there is decided where it runs. */
function overlaps(gateway: GatewayObject, lookup: Lookup): readonly Finding[] {
  return serversOf(gateway).flatMap((placed) => {
    const other = lookup.gatewaysOn(placed.server.port).find((each) => !sameSelector(each, gateway) && mayBothSelect(each, gateway));
    if (other === undefined) return [];
    const message = `Gateway ${objectName(other)} has port ${placed.server.port} too, with another selector that may select the same gateways: write the same selector in both`;
    return [findingOf(gateway, { severity: 'warning', code: 'conflict', path: `${serverPath(placed)}.port`, message })];
  });
}

/** One asks for all that the other does, and more. */
function mayBothSelect(a: GatewayObject, b: GatewayObject): boolean {
  const within = (one: GatewayObject, other: GatewayObject) =>
    Object.entries(one.spec.selector).every(([key, value]) => other.spec.selector[key] === value);
  return within(a, b) || within(b, a);
}

function addServer(placed: PlacedServer, neighbours: readonly PlacedServer[], context: GatewayContext, draft: Draft): void {
  const report = (code: string, field: string, message: string) =>
    draft.findings.push(findingOf(placed.gateway, { severity: 'error', code, path: `${serverPath(placed)}.${field}`, message }));
  const first = neighbours[0] ?? placed;
  const { port } = placed.server;
  if (first.nature !== placed.nature) {
    report('conflict', 'port', `not used: ${objectName(first.gateway)} has port ${port} for ${first.server.protocol} already`);
    return;
  }
  if (placed.nature === 'plain') {
    if (isSame(first, placed))
      add(
        draft,
        placed,
        { hosts: [], protocol: 'http' },
        httpRouting(
          neighbours.filter((n) => n.nature === 'plain'),
          context,
        ),
      );
    return;
  }
  if (placed.nature === 'bytes') {
    if (isSame(first, placed)) add(draft, placed, { hosts: [], protocol: 'tcp' }, l4Routing(placed, context));
    else report('conflict', 'port', `not used: ${objectName(first.gateway)} has port ${port} already`);
    return;
  }
  const tls = tlsOf(placed, report);
  if (tls === undefined) return;
  const hosts = freeHosts(placed, neighbours, report);
  if (hosts.length === 0) return;
  const protocol = protocolOf(placed.server);
  const routing = protocol === 'http' ? httpRouting([placed], context) : l4Routing(placed, context);
  add(draft, placed, { hosts: hosts.includes('*') ? [] : hosts, protocol, ...tls }, routing);
}

function add(draft: Draft, placed: PlacedServer, server: Pick<IngressServer, 'hosts' | 'protocol' | 'tls'>, routing: Routing): void {
  const { port } = placed.server;
  const name = serverName(placed);
  const routingName = `ingress|${port}|${name}`;
  draft.routings.set(routingName, routing);
  // A redirect of some hosts is a rule of theirs.
  const made: IngressServer = { name, ...server, httpsRedirect: false, routing: routingName };
  draft.servers.set(port, [...(draft.servers.get(port) ?? []), made]);
}

function isSame(a: PlacedServer, b: PlacedServer): boolean {
  return a.gateway === b.gateway && a.index === b.index;
}

function serverPath({ gateway, index }: PlacedServer): string {
  return gateway.spec.origin === 'istio' ? `spec.servers[${index}]` : `spec.listeners[${index}]`;
}

type Report = (code: string, field: string, message: string) => void;

/** `{}`: TLS goes through; undefined: there is something missing, and the server is left out. */
function tlsOf({ server }: PlacedServer, report: Report): Pick<IngressServer, 'tls'> | undefined {
  const { tls } = server;
  if (tls?.mode === 'passthrough') return {};
  if (tls?.certFile === undefined || tls.keyFile === undefined) {
    report('missing-certificate', 'tls', `not used: ${server.protocol} needs a certificate and its key, or passthrough`);
    return undefined;
  }
  if (tls.mode !== 'simple' && tls.caFile === undefined) {
    report('missing-certificate', 'tls', `not used: ${tls.mode} needs the certificates that sign those of clients`);
    return undefined;
  }
  const alpn = protocolOf(server) === 'http' ? ['h2', 'http/1.1'] : [];
  const { mode, certFile, keyFile, caFile, minVersion } = tls;
  return { tls: { mode, certFile, keyFile, ...(caFile === undefined ? {} : { caFile }), minVersion, alpn } };
}

/** Of two servers with one name the older Gateway's has it. */
function freeHosts(placed: PlacedServer, neighbours: readonly PlacedServer[], report: Report): readonly string[] {
  const before = neighbours
    .slice(
      0,
      neighbours.findIndex((n) => isSame(n, placed)),
    )
    .filter((n) => n.nature === 'secure');
  const own = [...new Set(hostsOf(placed).map((h) => h.host))];
  return own.filter((host) => {
    const owner = before.find((n) => hostsOf(n).some((h) => h.host === host));
    if (owner !== undefined)
      report('conflict', 'hosts', `${host} is not used: ${serverName(owner)} has it on port ${placed.server.port} already`);
    return owner === undefined;
  });
}
