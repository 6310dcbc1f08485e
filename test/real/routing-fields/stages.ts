import type { TestContext } from 'node:test';
import type { MergedService } from '../../../control/catalog/index.ts';
import type { TrafficObject } from '../../../core/config/index.ts';
import { type Locality, noLocality, type Protocol, parseLocality, serviceKey } from '../../../core/model/index.ts';
import { translate } from '../../../registries/objects/index.ts';
import { type EndpointSketch, serviceOf } from '../../support/catalog-view.ts';
import type { MeshPki } from '../../support/mesh-pki.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { Backend, type Speaks } from './backend.ts';
import { startBlackHole } from './black-hole.ts';
import type { FieldCase, InstanceSpec, ServiceSpec } from './case.ts';
import { type ServerCertificate, svidOf } from './certificates.ts';

const bookReviews: ServiceSpec = { name: 'reviews', instances: { v1: {}, v2: {}, v3: {} } };

const webPort: Readonly<Record<number, Protocol>> = { 80: 'http' };

export interface Certificates {
  readonly pki: MeshPki;
  /** Of instances that end TLS themselves. */
  readonly server: ServerCertificate;
}

/** The instances of a case, running, and the services that they are, in the namespace of the case. */
export interface Backends {
  readonly backends: ReadonlyMap<string, Backend>;
  /** Those that come late are there where they are among these. */
  services(joined: ReadonlySet<string>): readonly MergedService[];
}

export async function startBackends(t: TestContext, namespace: string, of: FieldCase, { pki, server }: Certificates): Promise<Backends> {
  const backends = new Map<string, Backend>();
  const made: ((joined: ReadonlySet<string>) => MergedService)[] = [];
  for (const { name, ports = webPort, instances, entry, apart } of of.services ?? [bookReviews]) {
    const list = Object.entries(ports).map(([port, protocol]) => ({ name: `p${port}`, port: Number(port), protocol }));
    const endpoints: EndpointSketch[] = [];
    const own = apart === true ? `${namespace}-apart` : namespace;
    for (const [instance, spec] of Object.entries(instances)) {
      const backend = new Backend(instance);
      backends.set(instance, backend);
      onEnd(t, () => backend.close());
      const at = await open(
        t,
        backend,
        spec,
        list[0]?.protocol,
        spec.serviceAccount === undefined ? server : svidOf(pki, own, spec.serviceAccount),
      );
      endpoints.push(endpoint(instance, spec, Object.fromEntries(list.map((port) => [port.name, at]))));
    }
    if (entry === true) continue;
    made.push((joined) => {
      const there = endpoints.filter((e) => instances[e.instance]?.late !== true || joined.has(e.instance));
      return { ...serviceOf(name, there, list), namespace: own, key: serviceKey(own, name) };
    });
  }
  return { backends, services: (joined) => made.map((make) => make(joined)) };
}

async function open(
  t: TestContext,
  backend: Backend,
  spec: InstanceSpec,
  protocol: Protocol | undefined,
  certificate: ServerCertificate,
): Promise<number> {
  if (spec.down === true) return deadPort();
  if (spec.blackHole === true) return startBlackHole(t);
  const secured = spec.tls === true || protocol === 'tls' || spec.serviceAccount !== undefined;
  return backend.listen(spec.speaks ?? speaking(protocol), secured ? certificate : undefined);
}

function speaking(protocol: Protocol | undefined): Speaks {
  if (protocol === 'tcp' || protocol === 'tls') return 'bytes';
  return protocol === 'http2' || protocol === 'grpc' ? 'http2' : 'http';
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

/** Those of the ServiceEntries among the objects. Every host name is an address of this machine. Throws where one makes no service. */
export function entryServices(objects: readonly TrafficObject[]): readonly MergedService[] {
  const entries = objects.flatMap((object) => (object.kind === 'ServiceEntry' || object.kind === 'WorkloadEntry' ? [object] : []));
  const defaults = { network: 'east-net', addressesOf: () => ['127.0.0.1'], seenAt: () => 1 };
  const { services, violations } = translate(entries, defaults);
  if (violations.length > 0) throw new Error(JSON.stringify(violations));
  return services.map(({ namespace, name, ports, endpoints, labels }) => {
    const merged = serviceOf(name, endpoints, ports);
    return { ...merged, namespace, labels, key: serviceKey(namespace, name) };
  });
}
