import { clusterSan } from '../../core/model/index.ts';
import type { ClusterTable, EngineListenerSpec, PlainRule, SniRule } from '../../gateway/engine/contract.ts';
import type { EndpointState } from '../../gateway/state/types.ts';
import type { Rules } from '../../gateway/tables.ts';
import { mostClusters, pairSni, sniOf } from './contract.ts';
import type { EngineBrief, EnginePart } from './engine-brief.ts';
import { httpCluster, httpRouting } from './http-rules.ts';

const listenerName = 'in';
const protocol = 'tcp';

export function listenerOf({ kind }: EnginePart): EngineListenerSpec {
  return { name: listenerName, address: '127.0.0.1', port: 0, kind: kind === 'originate' || kind === 'http' ? 'plain' : 'sni' };
}

/** As `gatewayRules` would make them of what a control plane sends. `turn`: which change they are of; weights go up and down with it. */
export function rulesOf(brief: EngineBrief, turn: number): Rules {
  const { part } = brief;
  switch (part.kind) {
    case 'passthrough':
      return { ...nothing, ...passthrough(brief, part.routes, part.originPort, turn) };
    case 'http': {
      const rule: PlainRule = { clusterName: httpCluster, protocol: 'http', routingName: listenerName, allow: 'any' };
      const cluster: ClusterTable = {
        ...table(httpCluster, endpoint(brief, part.originPort)),
        protocol: part.version === 'http1' ? 'http' : 'http2',
      };
      const plain = new Map([[listenerName, rule]]);
      return { ...nothing, plain, clusters: tables([cluster]), routings: new Map([[listenerName, httpRouting]]) };
    }
    case 'terminate': {
      const rule: SniRule = {
        mode: 'terminate',
        clusterName: 'c0',
        protocol,
        authz: everybody(brief),
        end: { namespace: 'shop', service: 'orders' },
      };
      return { ...nothing, sni: new Map([[pairSni, rule]]), clusters: tables([table('c0', endpoint(brief, part.originPort))]) };
    }
    case 'originate': {
      const tls = { sni: pairSni, uriSans: [part.uriSan], clusterSan: clusterSan(brief.cluster, brief.trustDomain) };
      const rule: PlainRule = { clusterName: 'c0', protocol, allow: ['127.0.0.0/8'] };
      const far = { ...endpoint(brief, part.farPort), tls };
      return { ...nothing, plain: new Map([[listenerName, rule]]), clusters: tables([table('c0', far)]) };
    }
  }
}

const nothing = { sni: new Map<string, SniRule>(), plain: new Map<string, PlainRule>(), clusters: tables([]), routings: new Map() };
const kept = new Map<number, ReadonlyMap<string, SniRule>>();

/** The routes stay the same object, as the control plane's do: a change is of one cluster's endpoints. */
function passthrough(brief: EngineBrief, routes: number, originPort: number, turn: number): Pick<Rules, 'sni' | 'clusters'> {
  const sni =
    kept.get(routes) ??
    new Map(Array.from({ length: routes }, (_, i) => [sniOf(i), { mode: 'passthrough', clusterName: `c${i % mostClusters}` }]));
  kept.set(routes, sni);
  const weight = (i: number) => (i === turn % mostClusters ? 2 + (turn % 5) : 1);
  const all = Array.from({ length: mostClusters }, (_, i) => table(`c${i}`, { ...endpoint(brief, originPort), weight: weight(i) }));
  return { sni, clusters: tables(all) };
}

function tables(all: readonly ClusterTable[]): ReadonlyMap<string, ClusterTable> {
  return new Map(all.map((each) => [each.name, each]));
}

function table(name: string, only: EndpointState): ClusterTable {
  return {
    name,
    host: `${name}.shop.mesh.internal`,
    namespace: 'shop',
    service: name,
    protocol,
    connectTimeoutMs: 5_000,
    endpoints: [only],
  };
}

function endpoint({ cluster }: EngineBrief, port: number): EndpointState {
  const place = { cluster, network: 'net-a', locality: '', runtime: 'vm', instance: `i${port}` };
  return { address: '127.0.0.1', port, weight: 1, priority: 0, ...place, viaGateway: false, stale: false, draining: false };
}

/** Everybody of the mesh: the rule is looked at for each connection. */
function everybody({ trustDomain }: EngineBrief) {
  return {
    name: 'shop/orders',
    rules: [{ action: 'allow', name: 'bench', principals: [`${trustDomain}/*`], namespaces: [], clusters: [] }],
  } as const;
}
