import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { buildNode, core, decodeResource, native, nativeRouting, nativeTypeUrls, noClaims, parseNode } from '../../../core/xds/index.ts';

const whole: Readonly<Record<string, Buffer>> = {
  [nativeTypeUrls.cluster]: Buffer.from(
    native.Cluster.encode(
      native.Cluster.create({ name: 'outbound|80||a.b.mesh.internal', host: 'a.b.mesh.internal', namespace: 'b', service: 'a', port: 80 }),
    ).finish(),
  ),
  [nativeTypeUrls.loadAssignment]: Buffer.from(
    native.LoadAssignment.encode(
      native.LoadAssignment.create({
        clusterName: 'c',
        endpoints: [
          {
            address: '10.0.0.1',
            port: 80,
            weight: 1,
            tls: { sni: 's', uriSans: ['spiffe://mesh.test/ns/b/sa/a'], clusterSan: 'east.cluster.mesh.test' },
          },
          {
            address: 'fd00::1',
            port: 15443,
            priority: 1,
            viaGateway: true,
            tls: { uriSans: ['spiffe://mesh.test/ns/b/sa/a'], clusterSan: 'x' },
          },
        ],
      }),
    ).finish(),
  ),
  [nativeTypeUrls.bundle]: Buffer.from(
    native.Bundle.encode(native.Bundle.create({ trustDomain: 'mesh.test', roots: [Buffer.from([1])] })).finish(),
  ),
  [nativeTypeUrls.route]: Buffer.from(
    native.Route.encode(
      native.Route.create({
        name: 'outbound_.80_.gateway_.a.b.mesh.internal',
        mode: 2,
        clusterName: 'local|80|gateway|a.b',
        authzName: 'b/a',
      }),
    ).finish(),
  ),
  [nativeTypeUrls.authz]: Buffer.from(
    native.Authz.encode(native.Authz.create({ name: 'b/a', rules: [{ action: 1, principals: ['mesh.test/ns/b/sa/*'] }] })).finish(),
  ),
  [nativeTypeUrls.routing]: Buffer.from(
    nativeRouting.Routing.encode(
      nativeRouting.Routing.create({
        name: '80|a.b.mesh.internal',
        virtualHosts: [
          {
            domains: ['*'],
            rules: [
              {
                matches: [{ path: { kind: { $case: 'regex', value: '/(a|b)[0-9]{1,3}' } }, headers: [{ name: 'x' }] }],
                action: { $case: 'route', value: { destinations: [{ destination: { cluster: 'c' }, weight: 1 }], timeoutMs: 100 } },
              },
            ],
          },
        ],
      }),
    ).finish(),
  ),
  [nativeTypeUrls.listener]: Buffer.from(
    native.Listener.encode(
      native.Listener.create({
        name: 'originate|16000',
        kind: { $case: 'originate', value: { port: 16000, clusterName: 'c', allowedCidrs: ['10.0.0.0/8'] } },
      }),
    ).finish(),
  ),
};

test('what is whole is taken', () => {
  for (const [typeUrl, value] of Object.entries(whole)) {
    const decoded = decodeResource({ typeUrl, value });
    assert.equal(decoded.ok, true, `${typeUrl}: ${JSON.stringify(decoded)}`);
  }
});

test('whatever the bytes, decoding gives a value or says what is wrong', () => {
  const edited = fc.constantFrom(...Object.entries(whole)).chain(([typeUrl, value]) =>
    fc.tuple(fc.nat(value.length - 1), fc.nat(255), fc.nat(value.length)).map(([at, byte, length]) => {
      const copy = Buffer.from(value);
      copy[at] = byte;
      return { typeUrl, value: copy.subarray(0, length) };
    }),
  );
  const garbage = fc.record({
    typeUrl: fc.oneof(fc.constantFrom(...Object.values(nativeTypeUrls)), fc.string()),
    value: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  });
  fc.assert(
    fc.property(fc.oneof(edited, garbage), (any) => {
      const decoded = decodeResource(any);
      if (!decoded.ok) assert.ok(decoded.violations.length > 0);
    }),
    { numRuns: 3_000 },
  );
});

test('every mistake is named at once, with its path', () => {
  const endpoints = [
    { address: 'host', port: 0 },
    { address: '10.0.0.1', port: 80, priority: 2, viaGateway: true },
  ];
  const value = Buffer.from(native.LoadAssignment.encode(native.LoadAssignment.create({ endpoints })).finish());
  const decoded = decodeResource({ typeUrl: nativeTypeUrls.loadAssignment, value });
  assert.deepEqual(decoded.ok ? [] : decoded.violations.map((v) => v.path), [
    'clusterName',
    'endpoints[0].address',
    'endpoints[0].port',
    'endpoints[1].tls',
    'endpoints',
  ]);
});

test('a node says what was put into it, also after the wire; any other is refused', () => {
  const label = fc.stringMatching(/^[a-z]([a-z0-9-]{0,8}[a-z0-9])?$/);
  const facts = fc.record({
    kind: fc.constantFrom('agent' as const, 'gateway' as const),
    identity: fc.record({ trustDomain: fc.constant('mesh.test'), namespace: label, serviceAccount: label }),
    instance: fc.stringMatching(/^[A-Za-z0-9._-]{1,30}$/),
    network: label,
    locality: fc.constantFrom('', 'r', 'r/z', 'r/z/s'),
    version: fc.constantFrom('', '1.2.3'),
    labels: fc.constantFrom({}, { app: 'web', 'example.org/tier': '' }),
  });
  fc.assert(
    fc.property(facts, (f) => {
      const parsed = parseNode(core.Node.decode(core.Node.encode(buildNode(f)).finish()));
      assert.deepEqual(parsed, { ok: true, value: { ...f, identity: { ...f.identity }, dialect: 'native', claims: noClaims } });
    }),
  );
  fc.assert(
    fc.property(fc.string(), fc.dictionary(fc.string(), fc.jsonValue()), (id, metadata) => {
      assert.equal(parseNode(core.Node.create({ id, metadata: metadata as never })).ok, false);
    }),
  );
});

test('labels of a node are those of Kubernetes, 64 at most; what cannot be said is not, and what should not be is refused', () => {
  const identity = { trustDomain: 'mesh.test', namespace: 'shop', serviceAccount: 'web' };
  const facts = { kind: 'agent', identity, instance: 'vm-1', network: 'n1', locality: '', version: '' } as const;
  const labelsOf = (node: core.Node) => {
    const parsed = parseNode(node);
    return parsed.ok ? parsed.value.labels : parsed.violations.map((v) => v.path);
  };
  const odd = { app: 'web', 'a/b/c': 'x', tier: 'a b', '': 'x', ['n'.repeat(64)]: 'x', 'example.org/n': 'v'.repeat(63) };
  assert.deepEqual(labelsOf(buildNode({ ...facts, labels: odd })), { app: 'web', 'example.org/n': 'v'.repeat(63) });
  const many = Object.fromEntries(Array.from({ length: 70 }, (_, i) => [`k${i}`, 'v']));
  assert.equal(Object.keys(labelsOf(buildNode({ ...facts, labels: many }))).length, 64);
  const node = buildNode({ ...facts, labels: {} });
  const claiming = (labels: unknown) => labelsOf({ ...node, metadata: { ...node.metadata, labels } });
  assert.deepEqual(claiming({ 'a b': 'x', ok: 'a b', n: 7 }), [
    'node.metadata.labels.a b',
    'node.metadata.labels.ok',
    'node.metadata.labels.n',
  ]);
  assert.deepEqual(claiming(many), ['node.metadata.labels']);
  assert.deepEqual(claiming('app=web'), ['node.metadata.labels']);
  for (const dialect of ['envoy', 'grpc', 'native']) {
    assert.deepEqual(labelsOf({ ...node, metadata: { ...node.metadata, dialect, labels: { app: 'web' } } }), { app: 'web' });
  }
});
