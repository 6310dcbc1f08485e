import type { EndpointRecord, ServicePort, ServiceRecord } from '../../core/model/index.ts';
import { networkId, noLocality } from '../../core/model/index.ts';

type EndpointOptions = Partial<Omit<EndpointRecord, 'network'>> & { readonly network?: string };

/** A healthy workload of `shop/orders` behind its own mTLS, at 10.0.0.1:8080 of network east-net, unless said otherwise. */
export function endpoint(instance: string, options: EndpointOptions = {}): EndpointRecord {
  const { network = 'east-net', ...rest } = options;
  return {
    instance,
    network: networkId(network),
    address: '10.0.0.1',
    ports: { http: 8080 },
    health: 'healthy',
    weight: 1,
    locality: noLocality,
    labels: {},
    identityNamespace: 'shop',
    serviceAccount: 'orders',
    tlsMode: 'mesh',
    runtime: 'vm',
    attested: false,
    ...rest,
  };
}

export const httpPort: ServicePort = { name: 'http', port: 80, protocol: 'http' };

/** `NAMESPACE/NAME` with one port http 80 and the given endpoints. */
export function service(key: string, endpoints: readonly EndpointRecord[], options: Partial<ServiceRecord> = {}): ServiceRecord {
  const [namespace = '', name = ''] = key.split('/');
  return { namespace, name, ports: [httpPort], endpoints, labels: {}, createdAt: 1_000, ...options };
}
