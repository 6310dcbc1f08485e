import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type DialectContext, meshOwner } from '../../../control/snapshot/dialect.ts';
import { grpcDialect } from '../../../control/snapshot/grpc/index.ts';
import type { EndpointIr, Resource } from '../../../control/snapshot/index.ts';
import { seal } from '../../../control/snapshot/seal.ts';
import { networkId } from '../../../core/model/index.ts';
import { buildGrpcBootstrap } from '../../../core/xds/grpc/index.ts';
import { envoyTypeUrls as urls } from '../../../core/xds/index.ts';
import { decodeAs, readBootstrap } from '../../support/grpc-oracle.ts';

const anchors = ['east', 'west'];
const context: DialectContext = {
  client: { kind: 'agent', network: networkId('a') },
  trustDomain: 'mesh.test',
  hostSuffix: 'mesh.internal',
  cluster: 'east',
  anchors,
};
const bootstrap = readBootstrap(
  buildGrpcBootstrap({
    identity: { trustDomain: 'mesh.test', namespace: 'shop', serviceAccount: 'web' },
    instance: 'web-1',
    network: 'a',
    locality: '',
    inbound: [],
    anchors,
    certificates: '/c',
    xdsSocket: '/c/xds.sock',
  }),
);

const host = 'orders.shop.mesh.internal';
const name = `outbound|8080||${host}`;
const sni = `outbound_.8080_._.${host}`;
const cluster = seal('cluster', name, { host, namespace: 'shop', service: 'orders', port: 8080, protocol: 'grpc', connectTimeoutMs: 0 });

interface Sketch extends Partial<Omit<EndpointIr, 'tls'>> {
  readonly account?: string;
  readonly plain?: true;
  readonly terminate?: true;
}

function endpoint({ account = 'orders', plain, terminate, ...more }: Sketch): EndpointIr {
  const { cluster: of = 'east' } = more;
  const base = {
    address: '10.0.0.1',
    port: 50051,
    weight: 1,
    priority: 0,
    cluster: of,
    network: 'a',
    locality: '',
    runtime: 'vm',
    instance: 'i',
  };
  const tls = {
    sni: terminate ? `outbound_.8080_.gateway_.${host}` : sni,
    uriSans: [terminate ? 'spiffe://mesh.test/ns/isthmus-system/sa/gateway' : `spiffe://mesh.test/ns/shop/sa/${account}`],
    clusterSan: `${of}.cluster.mesh.test`,
  };
  return { ...base, viaGateway: false, stale: false, draining: false, ...(plain ? {} : { tls }), ...more };
}

/** What gRPC itself holds afterwards, by type and name; fails on whatever it would refuse. */
function decoded(endpoints: readonly EndpointIr[], resources: readonly Resource[] = [cluster]) {
  const owned = [...resources, seal('endpoints', name, { endpoints })];
  const made = grpcDialect.translate(meshOwner, owned, context);
  const maps = {
    clusters: new Map<string, Cds>(),
    assignments: new Map<string, Eds>(),
    listeners: new Map(),
    routes: new Map<string, Rds>(),
  };
  const of = {
    [urls.cluster]: maps.clusters,
    [urls.loadAssignment]: maps.assignments,
    [urls.listener]: maps.listeners,
    [urls.route]: maps.routes,
  };
  for (const resource of made) {
    const { error, value, name: said } = decodeAs(bootstrap, resource);
    assert.equal(error, undefined, resource.name);
    assert.equal(said, resource.name);
    const map = (of as Record<string, Map<string, unknown>>)[resource.typeUrl];
    assert.equal(map?.has(said), false, `${said} is there twice`);
    map?.set(said, value);
  }
  return maps;
}

interface Cds {
  type: string;
  aggregateChildren: string[];
  edsServiceName?: string;
  securityUpdate?: {
    caCertificateProviderInstance: string;
    identityCertificateProviderInstance: string;
    subjectAltNameMatchers: { exact: string }[];
  };
}
interface Eds {
  endpoints: {
    priority: number;
    locality: { region: string; zone: string; sub_zone: string };
    load_balancing_weight: { value: number } | null;
    lb_endpoints: { endpoint: { address: { socket_address: { address: string; port_value: number } } } }[];
  }[];
}
interface Rds {
  virtual_hosts: {
    routes: {
      route: {
        cluster?: string;
        weighted_clusters: null | { clusters: { name: string; weight: { value: number } }[]; total_weight: { value: number } | null };
      };
    }[];
  }[];
}

/** The xDS clusters with endpoints that a target leads to first, with its share, and those after it. */
function leadsTo(maps: ReturnType<typeof decoded>, target: string): { share: number; order: readonly string[] }[] {
  const route = maps.routes.get(target)?.virtual_hosts[0]?.routes[0]?.route;
  assert.ok(route, target);
  const to = route.weighted_clusters?.clusters.map((c) => ({ name: c.name, share: c.weight.value })) ?? [
    { name: route.cluster ?? '', share: 1 },
  ];
  return to.map(({ name: each, share }) => {
    const found = maps.clusters.get(each);
    assert.ok(found, each);
    return { share, order: found.type === 'AGGREGATE' ? found.aggregateChildren : [each] };
  });
}

const direct = `${host}:8080`;

describe('the grpc dialect, read by grpc-js-xds itself', () => {
  it('demands the identities under the anchor of their own mesh cluster, never an empty list', () => {
    const { clusters } = decoded([
      endpoint({}),
      endpoint({ address: '10.0.0.2', account: 'orders-v2' }),
      endpoint({ address: '10.0.0.3', cluster: 'west' }),
    ]);
    const secured = [...clusters.values()].filter((c) => c.type === 'EDS');
    assert.deepEqual(
      secured.map(({ securityUpdate: s }) => [
        s?.caCertificateProviderInstance,
        s?.identityCertificateProviderInstance,
        s?.subjectAltNameMatchers.map((m) => m.exact),
      ]),
      [
        ['anchor-east', 'identity', ['spiffe://mesh.test/ns/shop/sa/orders', 'spiffe://mesh.test/ns/shop/sa/orders-v2']],
        ['anchor-west', 'identity', ['spiffe://mesh.test/ns/shop/sa/orders']],
      ],
    );
    const nameless = { ...endpoint({}), tls: { sni, uriSans: [], clusterSan: 'east.cluster.mesh.test' } };
    assert.deepEqual(
      [...decoded([nameless]).assignments.values()].flatMap((a) => a.endpoints),
      [],
    );
  });

  it('leaves out endpoints of mesh clusters that the client has no anchor for: naming it would be refused', () => {
    const { assignments } = decoded([endpoint({ cluster: 'north' }), endpoint({})]);
    assert.deepEqual([...assignments.keys()], ['outbound|8080|east.direct|orders.shop.mesh.internal']);
  });

  it('gives every locality a weight, as one without is dropped in silence, and keeps unequal weights by localities of their own', () => {
    const { assignments } = decoded([
      endpoint({ address: '10.0.0.1', locality: 'eu/eu-1', weight: 1 }),
      endpoint({ address: '10.0.0.2', locality: 'eu/eu-1', weight: 1 }),
      endpoint({ address: '10.0.0.3', locality: 'eu/eu-1', weight: 6 }),
      endpoint({ address: '10.0.0.4', locality: 'eu/eu-2', weight: 4 }),
    ]);
    const [assignment] = [...assignments.values()];
    assert.deepEqual(
      assignment?.endpoints.map((e) => [e.locality.zone, e.locality.sub_zone, e.load_balancing_weight?.value, e.lb_endpoints.length]),
      [
        ['eu-1', '~1', 2, 2],
        ['eu-1', '~6', 6, 1],
        ['eu-2', '', 4, 1],
      ],
    );
  });

  it('splits by weight what is equally near, and says the total that the weights sum to', () => {
    const maps = decoded([endpoint({ weight: 3 }), endpoint({ address: '10.0.0.2', cluster: 'west', weight: 1 })]);
    const route = maps.routes.get(direct)?.virtual_hosts[0]?.routes[0]?.route.weighted_clusters;
    assert.equal(route?.total_weight?.value, 4);
    assert.deepEqual(
      leadsTo(maps, direct).map(({ share, order }) => [share, order.map((o) => o.split('|')[2])]),
      [
        [3, ['east.direct', 'west.direct']],
        [1, ['west.direct', 'east.direct']],
      ],
    );
  });

  it('keeps the order of priorities, each xDS cluster beginning at 0', () => {
    const maps = decoded([
      endpoint({ priority: 0 }),
      endpoint({ address: '10.0.1.1', priority: 1, cluster: 'west', viaGateway: true, network: 'b' }),
      endpoint({ address: '10.0.0.9', priority: 2, stale: true }),
    ]);
    assert.deepEqual(
      leadsTo(maps, sni)[0]?.order.map((o) => o.split('|')[2]),
      ['east.direct', 'west.gateway-passthrough', 'east.direct-stale'],
    );
    assert.ok([...maps.assignments.values()].every((a) => a.endpoints.every((e) => e.priority === 0)));
  });

  it('leads to gateways only by targets that are the SNI they route by, as gRPC sends no other', () => {
    const maps = decoded([
      endpoint({}),
      endpoint({ address: '10.0.1.1', priority: 1, cluster: 'west', viaGateway: true }),
      endpoint({ address: '10.0.1.1', priority: 1, cluster: 'west', viaGateway: true, terminate: true }),
    ]);
    const kinds = (target: string) => leadsTo(maps, target)[0]?.order.map((o) => o.split('|')[2]);
    assert.deepEqual(kinds(direct), ['east.direct']);
    assert.deepEqual(kinds(sni), ['east.direct', 'west.gateway-passthrough']);
    assert.deepEqual(kinds(`outbound_.8080_.gateway_.${host}`), ['east.direct', 'west.gateway-gateway']);
  });

  it('names each address once, and IPs alone', () => {
    const { assignments } = decoded([
      endpoint({ instance: 'a', weight: 1 }),
      endpoint({ instance: 'b', weight: 2, account: 'orders-v2' }),
      endpoint({ address: 'gateway.example.org' }),
    ]);
    const [assignment] = [...assignments.values()];
    assert.deepEqual(
      assignment?.endpoints.map((e) => [e.load_balancing_weight?.value, e.lb_endpoints.length]),
      [[3, 1]],
    );
  });

  it('says "nobody" at once where there is nobody, and speaks plainly where there is no mTLS', () => {
    const empty = decoded([
      endpoint({ draining: true }),
      endpoint({ address: '10.0.0.2', weight: 0 }),
      endpoint({ address: '10.0.0.3', unhealthy: true }),
    ]);
    const [only] = leadsTo(empty, direct);
    assert.deepEqual(empty.assignments.get(only?.order[0] ?? '')?.endpoints, []);
    const plain = decoded([endpoint({ plain: true })]);
    assert.equal([...plain.clusters.values()].find((c) => c.type === 'EDS')?.securityUpdate, undefined);
  });

  it('names no service of other protocols', () => {
    const web = seal('cluster', name, { ...cluster.value, protocol: 'http' });
    assert.equal(decoded([endpoint({})], [web]).listeners.size, 0);
  });
});

const anyEndpoint = fc
  .record({
    address: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3', 'fd00::1', 'name.example'),
    cluster: fc.constantFrom('east', 'west', 'north'),
    weight: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.constant(2 ** 31)),
    stale: fc.boolean(),
    viaGateway: fc.boolean(),
    terminate: fc.boolean(),
    plain: fc.boolean(),
    draining: fc.boolean(),
    locality: fc.constantFrom('', 'eu/eu-1', 'eu/eu-2/rack'),
    account: fc.constantFrom('orders', 'orders-v2'),
  })
  .map(({ terminate, plain, ...rest }) =>
    endpoint({
      ...rest,
      // As the snapshot's tiers do: by what an endpoint is.
      priority: (rest.stale ? 3 : 0) + (rest.viaGateway && !plain ? (rest.cluster === 'east' ? 1 : 2) : 0),
      viaGateway: rest.viaGateway && !plain,
      ...(plain ? { plain: true as const } : {}),
      ...(terminate && rest.viaGateway && !plain ? { terminate: true as const } : {}),
    }),
  );

it('whatever the endpoints, gRPC refuses nothing and every reference leads somewhere', () => {
  fc.assert(
    fc.property(fc.array(anyEndpoint, { maxLength: 12 }), (endpoints) => {
      const maps = decoded([...endpoints].sort((a, b) => a.priority - b.priority));
      for (const target of maps.listeners.keys()) {
        for (const { order, share } of leadsTo(maps, target as string)) {
          assert.ok(share > 0);
          for (const each of order) {
            const found = maps.clusters.get(each);
            assert.equal(found?.type, 'EDS', each);
            const assignment = maps.assignments.get(found?.edsServiceName ?? '');
            assert.ok(assignment?.endpoints.every((e) => (e.load_balancing_weight?.value ?? 0) > 0 && e.lb_endpoints.length > 0));
          }
        }
      }
    }),
  );
});
