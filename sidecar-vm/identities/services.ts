import type { Inbound, InboundService } from '../../gateway/index.ts';
import type { AgentOptions } from '../options.ts';
import type { OpenIdentity } from './open-identities.ts';

type Services = AgentOptions['services'];

/** Of every identity: what is checked, listened for and known by name is the machine's. */
export function withAllServices(options: AgentOptions): AgentOptions {
  return { ...options, services: [...options.services, ...options.identities.flatMap(({ services }) => services)] };
}

/** Of the agent's own identity, of options that hold all. */
export function ownServices({ services, identities }: AgentOptions): Services {
  const others = new Set(identities.flatMap((each) => each.services.map(keyOf)));
  return services.filter((service) => !others.has(keyOf(service)));
}

/** Callers of a service see the SVID of the identity whose it is. */
export function servedByOwner(inbound: Inbound, identities: readonly OpenIdentity[]): Inbound {
  if (identities.length === 0) return inbound;
  const owners = new Map(identities.flatMap(({ options, source }) => options.services.map((service) => [keyOf(service), source] as const)));
  const owned = (each: InboundService): InboundService => {
    const identity = owners.get(keyOf({ namespace: each.namespace, name: each.service, port: each.port }));
    return identity === undefined ? each : { ...each, identity };
  };
  return { ...inbound, serve: (services) => inbound.serve(services.map(owned)) };
}

function keyOf({ namespace, name, port }: Pick<Services[number], 'namespace' | 'name' | 'port'>): string {
  return `${namespace}/${name}:${port}`;
}
