import type { ServiceKey } from '../../core/model/index.ts';
import type { IngressListener, IngressServer } from '../../core/traffic/index.ts';
import type { CompiledGateway, TrafficModel } from '../routing/index.ts';
import type { ClientClass, Resource } from './ir.ts';
import { gatewayOwner } from './owners.ts';
import { seal } from './seal.ts';

/** What the Gateways that select a class of ingress gateways ask of it. */
export interface IngressPlan {
  /** By owner. */
  readonly resources: ReadonlyMap<string, readonly Resource[]>;
  /** All that they lead to. */
  readonly services: ReadonlySet<ServiceKey>;
}

/**
 * Listeners and routings of the Gateways whose selector the labels of the class fit. Gateways that share an address and port share a
 * listener, which belongs to the first of them by name; their servers are in the order of the Gateways.
 */
export function buildIngress(client: ClientClass, traffic: TrafficModel): IngressPlan {
  const gateways = [...traffic.gateways.values()].filter((g) => selects(g, client)).sort((a, b) => (a.name < b.name ? -1 : 1));
  const listeners = new Map<string, { owner: string; listener: IngressListener }>();
  const resources = new Map<string, Resource[]>();
  const routings = new Set<string>();
  for (const gateway of gateways) {
    const owner = gatewayOwner(gateway.name);
    const names = [...gateway.routings].filter(([name]) => !routings.has(name));
    for (const [name] of names) routings.add(name);
    resources.set(
      owner,
      names.map(([name, routing]) => seal('routing', name, routing)),
    );
    for (const listener of gateway.listeners) {
      const name = ingressListenerName(listener);
      const known = listeners.get(name);
      if (known === undefined) listeners.set(name, { owner, listener });
      else listeners.set(name, { owner: known.owner, listener: joined(known.listener, listener, gateway) });
    }
  }
  for (const [name, { owner, listener }] of listeners) resources.get(owner)?.push(seal('listener', name, { type: 'ingress', ...listener }));
  return { resources, services: new Set(gateways.flatMap((g) => g.services)) };
}

function ingressListenerName({ address, port }: IngressListener): string {
  return address === '' ? `ingress|${port}` : `ingress|${address}|${port}`;
}

function joined(first: IngressListener, more: IngressListener, { name }: CompiledGateway): IngressListener {
  const taken = new Set(first.servers.map((s) => s.name));
  const renamed = (server: IngressServer) => (taken.has(server.name) ? { ...server, name: `${name}/${server.name}` } : server);
  return { ...first, servers: [...first.servers, ...more.servers.map(renamed)] };
}

/** A Gateway without a selector selects every ingress gateway. */
function selects({ selector }: CompiledGateway, { labels = {} }: ClientClass): boolean {
  return Object.entries(selector).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
}
