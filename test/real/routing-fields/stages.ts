import type { TestContext } from 'node:test';
import type { MergedService } from '../../../control/catalog/index.ts';
import { type Locality, noLocality, type Protocol, parseLocality, serviceKey } from '../../../core/model/index.ts';
import { type EndpointSketch, serviceOf } from '../../support/catalog-view.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { Backend, type ServerCertificate } from './backend.ts';
import type { FieldCase, InstanceSpec, ServiceSpec } from './case.ts';

const bookReviews: ServiceSpec = { name: 'reviews', instances: { v1: {}, v2: {}, v3: {} } };

const webPort: Readonly<Record<number, Protocol>> = { 80: 'http' };

interface Backends {
  readonly backends: ReadonlyMap<string, Backend>;
  readonly services: readonly MergedService[];
}

/** The instances of a case, running, and the services that they are, in the namespace of the case. */
export async function startBackends(t: TestContext, namespace: string, of: FieldCase, certificate: ServerCertificate): Promise<Backends> {
  const backends = new Map<string, Backend>();
  const services: MergedService[] = [];
  for (const { name, ports = webPort, instances } of of.services ?? [bookReviews]) {
    const list = Object.entries(ports).map(([port, protocol]) => ({ name: `p${port}`, port: Number(port), protocol }));
    const endpoints: EndpointSketch[] = [];
    for (const [instance, spec] of Object.entries(instances)) {
      const backend = new Backend(instance);
      backends.set(instance, backend);
      onEnd(t, () => backend.close());
      const kind = isHttp(list[0]?.protocol) ? 'http' : 'bytes';
      const secured = spec.tls === true || list[0]?.protocol === 'tls';
      const at = spec.down === true ? await deadPort() : await backend.listen(kind, secured ? certificate : undefined);
      endpoints.push(endpoint(instance, spec, Object.fromEntries(list.map((port) => [port.name, at]))));
    }
    services.push({ ...serviceOf(name, endpoints, list), namespace, key: serviceKey(namespace, name) });
  }
  return { backends, services };
}

function isHttp(protocol: Protocol | undefined): boolean {
  return protocol !== 'tcp' && protocol !== 'tls';
}

function endpoint(instance: string, { labels, locality, weight }: InstanceSpec, ports: Readonly<Record<string, number>>): EndpointSketch {
  const place: Locality = locality === undefined ? noLocality : parseLocality(locality);
  return {
    instance,
    network: 'east-net',
    address: '127.0.0.1',
    ports,
    tlsMode: 'none',
    locality: place,
    labels: { version: instance, ...labels },
    ...(weight === undefined ? {} : { weight }),
  };
}
