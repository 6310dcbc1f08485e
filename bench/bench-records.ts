import { type EndpointRecord, networkId, type ServiceKey, type ServiceRecord, serviceKey } from '../core/model/index.ts';

export const network = networkId('net-a');
const zones = ['eu-west-1a', 'eu-west-1b', 'eu-west-1c'];

export function benchServiceKey(index: number): ServiceKey {
  return serviceKey('shop', `service-${index}`);
}

/** A service as a registry's adapter gives it: parsed from text, so that no two records share a string. */
export function serviceRecord(index: number, endpoints: number, firstWeight: number): ServiceRecord {
  const made: ServiceRecord = {
    namespace: 'shop',
    name: `service-${index}`,
    ports: [{ name: 'grpc', port: 80, protocol: 'grpc' }],
    endpoints: Array.from({ length: endpoints }, (_, i) => endpoint(index, index * endpoints + i, i === 0 ? firstWeight : 1)),
    labels: { team: `team-${index % 20}` },
    createdAt: 1_000,
  };
  return JSON.parse(JSON.stringify(made)) as ServiceRecord;
}

function endpoint(service: number, n: number, weight: number): EndpointRecord {
  return {
    instance: `service-${service}-7d9f8b6c5d-${n.toString(36).padStart(5, '0')}`,
    network,
    address: `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`,
    ports: { grpc: 8080 },
    health: 'healthy',
    weight,
    locality: { region: 'eu-west-1', zone: zones[n % zones.length] ?? '', subzone: '' },
    labels: { app: `service-${service}`, version: 'v1' },
    identityNamespace: 'shop',
    serviceAccount: `service-${service}`,
    tlsMode: 'mesh',
    runtime: 'vm',
    attested: true,
  };
}
