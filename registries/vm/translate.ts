import { createHash } from 'node:crypto';
import {
  type EndpointRecord,
  type EndpointTunnel,
  type Health,
  networkId,
  parseLocality,
  type ServiceKey,
  type ServicePort,
  type ServiceRecord,
  serviceKey,
  splitServiceKey,
} from '../../core/model/index.ts';
import { instanceIdOf, type RegisteredService, type RegisteredTunnel, type RegisteredWorkload } from './record.ts';
import type { GroupedWorkload } from './with-group.ts';
import { withheldFor } from './withheld.ts';

/** The services that a workload serves. */
export function servicesOf(workload: RegisteredWorkload): Set<ServiceKey> {
  return new Set(workload.services.map((service) => serviceKey(service.namespace, service.name)));
}

/**
 * One mesh service from the workloads that registered it; undefined when none did. Where they disagree on a port, the one that registered
 * first wins, and the other's is left out. Pure.
 */
export function translate(key: ServiceKey, workloads: readonly GroupedWorkload[]): ServiceRecord | undefined {
  const { namespace, name } = splitServiceKey(key);
  const mine = (workload: RegisteredWorkload) => workload.services.filter((each) => each.namespace === namespace && each.name === name);
  const members = workloads.filter((workload) => mine(workload).length > 0).sort(byAge);
  const [oldest] = members;
  if (oldest === undefined) return undefined;
  const ports = new Map<string, ServicePort>();
  for (const service of members.flatMap(mine)) {
    const taken = [...ports.values()].some((port) => port.port === service.port);
    if (!ports.has(service.portName) && !taken)
      ports.set(service.portName, { name: service.portName, port: service.port, protocol: service.protocol });
  }
  const endpoints = members.flatMap((workload) => {
    const agreed = mine(workload).filter((service) => ports.get(service.portName)?.port === service.port);
    return agreed.length === 0 || withheldFor(workload) !== undefined ? [] : [endpointOf(workload, agreed)];
  });
  return { namespace, name, ports: [...ports.values()], endpoints, labels: commonLabels(members), createdAt: oldest.registeredAt };
}

function byAge(a: RegisteredWorkload, b: RegisteredWorkload): number {
  return a.registeredAt - b.registeredAt || (instanceIdOf(a) < instanceIdOf(b) ? -1 : 1);
}

function endpointOf(workload: GroupedWorkload, services: readonly RegisteredService[]): EndpointRecord {
  return {
    instance: instanceIdOf(workload),
    network: networkId(workload.network),
    address: workload.tunnel === undefined ? (workload.addresses[0] ?? '') : unreachableAddress(instanceIdOf(workload)),
    ports: Object.fromEntries(services.map((service) => [service.portName, workload.inboundPort])),
    health: healthOf(workload, services),
    weight: workload.weight ?? 1,
    locality: parseLocality(workload.locality),
    labels: workload.labels,
    identityNamespace: workload.namespace,
    serviceAccount: workload.serviceAccount,
    tlsMode: 'mesh',
    runtime: 'vm',
    attested: true,
    ...(workload.tunnel === undefined ? {} : { tunnel: tunnelOf(workload.tunnel) }),
    ...plainOf(services),
  };
}

function plainOf(services: readonly RegisteredService[]): Pick<EndpointRecord, 'plain'> {
  const doors = services.flatMap(({ portName, expose }) => (expose === undefined ? [] : [[portName, expose] as const]));
  return doors.length === 0 ? {} : { plain: Object.fromEntries(doors) };
}

function tunnelOf({ secretSha256, gateways }: RegisteredTunnel): EndpointTunnel {
  return { secretSha256, gateways: gateways.map((name) => name.slice(name.indexOf('/') + 1)) };
}

/**
 * Of its own for every instance, and nobody's (fc00::/7): the address behind a NAT may be somebody else's too, on this side of it, and
 * what has one (network, address, port) is one endpoint.
 */
function unreachableAddress(id: string): string {
  const hex = `fd${createHash('sha256').update(id).digest('hex').slice(0, 30)}`;
  return (hex.match(/.{4}/g) ?? []).join(':');
}

function healthOf(workload: RegisteredWorkload, services: readonly RegisteredService[]): Health {
  if (services.some((service) => service.healthy === false)) return 'unhealthy';
  if (workload.draining) return workload.expired ? 'unhealthy' : 'draining';
  // Silence proves nothing: a link that was cut silences every agent, and those that stand behind the cut still serve. While anybody
  // else is known to be healthy a silent one gets nothing; where nobody is, it is tried.
  if (workload.expired) return 'unknown';
  return services.every((service) => service.healthy === true) ? 'healthy' : 'unknown';
}

/** Those on which all agree, so that an export by label never reaches a workload that does not carry it. */
function commonLabels(workloads: readonly RegisteredWorkload[]): Record<string, string> {
  const [first, ...rest] = workloads;
  return Object.fromEntries(Object.entries(first?.labels ?? {}).filter(([key, value]) => rest.every((each) => each.labels[key] === value)));
}
