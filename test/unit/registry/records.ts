import { type EndpointRecord, networkId, noLocality, type ServiceRecord } from '../../../core/model/index.ts';
import type { RegistryRules } from '../../../core/registry/index.ts';

export function rulesWith(change: Partial<RegistryRules> = {}): RegistryRules {
  return {
    namespace: 'default',
    rename: {},
    include: [],
    exclude: [],
    claims: ['*'],
    network: 'east',
    protocol: 'http',
    serviceAccount: 'default',
    tlsMode: 'none',
    locality: '',
    ...change,
  };
}

export function endpoint(instance: string, change: Partial<EndpointRecord> = {}): EndpointRecord {
  return {
    instance,
    network: networkId('east'),
    address: '10.0.0.1',
    ports: { http: 8080 },
    health: 'healthy',
    weight: 1,
    locality: noLocality,
    labels: {},
    identityNamespace: 'default',
    serviceAccount: 'default',
    tlsMode: 'none',
    runtime: 'consul',
    attested: false,
    ...change,
  };
}

export function service(name: string, change: Partial<ServiceRecord> = {}): ServiceRecord {
  return {
    namespace: 'default',
    name,
    ports: [{ name: 'http', port: 8080, protocol: 'http' }],
    endpoints: [endpoint(`${name}-1`)],
    labels: {},
    createdAt: 1,
    ...change,
  };
}
