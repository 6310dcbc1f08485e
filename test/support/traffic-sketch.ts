import { noClientRules } from '../../control/routing/client-rules.ts';
import type { ClusterPolicy, CompiledGateway, ServiceTraffic, TrafficModel } from '../../control/routing/contract.ts';
import { meshHost, outboundClusterName, type ServiceKey, serviceKey } from '../../core/model/index.ts';
import type { Routing } from '../../core/traffic/index.ts';

/** What is said of one service, by port 8080 unless a sketch says otherwise. */
export interface TrafficSketch {
  readonly routing?: Readonly<Record<number, Routing>>;
  readonly subsets?: readonly {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly policy?: ClusterPolicy;
  }[];
  readonly policy?: ClusterPolicy;
  readonly port?: number;
}

/** A model of these services (NAMESPACE/NAME) and gateways; `changed` is told against `before`, by content. */
export function trafficModel(
  services: Readonly<Record<string, TrafficSketch>>,
  gateways: readonly CompiledGateway[] = [],
  before?: TrafficModel & { readonly said?: Readonly<Record<string, TrafficSketch>> },
): TrafficModel & { readonly said: Readonly<Record<string, TrafficSketch>> } {
  const compiled = new Map(Object.entries(services).map(([key, sketch]) => [key as ServiceKey, compile(sketch)]));
  const byName = new Map(gateways.map((g) => [g.name, g]));
  const differs = (a: unknown, b: unknown) => JSON.stringify(a) !== JSON.stringify(b);
  const said = before?.said ?? {};
  const names = new Set([...Object.keys(services), ...Object.keys(said)]);
  const gatewayNames = new Set([...byName.keys(), ...(before?.gateways.keys() ?? [])]);
  const shown = (g: CompiledGateway | undefined) => (g === undefined ? undefined : { ...g, routings: [...g.routings] });
  return {
    said: services,
    service: (key) => compiled.get(key),
    gateways: byName,
    changed: {
      services: new Set([...names].filter((name) => differs(services[name], said[name])) as ServiceKey[]),
      gateways: new Set([...gatewayNames].filter((name) => differs(shown(byName.get(name)), shown(before?.gateways.get(name))))),
    },
    findings: [],
    clients: noClientRules,
    differsFor: () => false,
  };
}

function compile({ routing = {}, subsets = [], policy, port = 8080 }: TrafficSketch): ServiceTraffic {
  const policies = (one: ClusterPolicy | undefined) => new Map(one === undefined ? [] : [[port, one]]);
  return {
    routing: new Map(Object.entries(routing).map(([number, value]) => [Number(number), value])),
    subsets: subsets
      .map((s) => ({ name: s.name, labels: s.labels, policies: policies(s.policy ?? policy) }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    policies: policies(policy),
    rules: [],
    callers: new Map(),
  };
}

/** xDS cluster of a service (NAMESPACE/NAME) in suffix mesh.internal. */
export function clusterOf(key: string, subset = '', port = 8080): string {
  const [namespace = '', name = ''] = key.split('/');
  return outboundClusterName({ port, subset, host: meshHost({ namespace, name }, 'mesh.internal') });
}

/** One virtual host for everything, whose only rule leads to these, by weight. */
export function routingTo(shares: Readonly<Record<string, number>>): Routing {
  const destinations = Object.entries(shares).map(([cluster, weight]) => ({ destination: { cluster }, weight }));
  const action = { type: 'route', destinations, mirrors: [] } as const;
  return { virtualHosts: [{ name: 'all', domains: ['*'], rules: [{ name: 'shop/split', matches: [], action }] }], l4: [] };
}

export function gatewaySketch(name: string, port: number, routing: Routing, services: readonly string[]): CompiledGateway {
  const server = { name: 'web', hosts: ['*'], protocol: 'http', httpsRedirect: false, routing: `ingress|${port}|${name}` } as const;
  return {
    name,
    selector: { istio: 'ingress' },
    listeners: [{ address: '', port, servers: [server] }],
    routings: new Map([[server.routing, routing]]),
    services: services.map((key) => {
      const [namespace = '', service = ''] = key.split('/');
      return serviceKey(namespace, service);
    }),
  };
}
