import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodePeerResource } from '../../../control/peering/decode-peering.ts';
import { encodeEndpoint, encodeGateway, encodeService } from '../../../control/peering/export-records.ts';
import { formatInviteToken, parseInviteToken } from '../../../control/peering/invite-token.ts';
import { joinProof, offerProof, replyProof } from '../../../control/peering/join-proof.ts';
import { gatewayRecordOf } from '../../../control/peering/peer-gateway.ts';
import { clusterId, networkId, sourceId } from '../../../core/model/index.ts';
import { peering, peeringTypeUrls as urls } from '../../../core/xds/index.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { exportInputs } from '../../support/peer-site.ts';

const inputs = exportInputs('east', { 'shop/orders': [{ source: 'consul/dc1', instance: 'a/b', address: '10.0.0.1' }] });
const service = [...inputs.view.local.values()][0];
const endpoint = service?.endpoints[0];
if (service === undefined || endpoint === undefined) throw new Error('the fixture is empty');
const gateway = {
  cluster: 'east',
  network: networkId('n'),
  instance: 'g',
  addresses: ['192.0.2.1', '2001:db8::1'],
  port: 15443,
  healthy: true,
  draining: false,
  engine: 'native',
};
const whole = [
  [urls.service, encodeService(service)],
  [urls.endpoint, encodeEndpoint('shop', 'orders', endpoint)],
  [urls.gateway, encodeGateway(gateway as never)],
] as const;

test('what one side encodes the other decodes to the same', () => {
  const [s, e, g] = whole.map(([typeUrl, r]) => decodePeerResource(typeUrl, r.name, r.value));
  assert.deepEqual(s, {
    ok: true,
    value: { kind: 'service', value: { namespace: 'shop', name: 'orders', ports: service.ports, labels: {}, createdAt: 1 } },
  });
  const { key: _k, cluster: _c, source, state: _s, provenance: _p, ...record } = endpoint;
  assert.deepEqual(e, { ok: true, value: { kind: 'endpoint', service: 'shop/orders', source, value: record } });
  assert.ok(g?.ok === true && g.value.kind === 'gateway');
  assert.deepEqual(gatewayRecordOf(g.value.value, clusterId('east')), gateway);
  assert.equal(gatewayRecordOf({ ...g.value.value, engine: 'a\nb' }, clusterId('east')).engine, undefined);
});

test('of an endpoint that several sources speak of, all are told, as a side of a shift may be of any', () => {
  const { cluster, instance, attested, health, state, labels } = endpoint;
  const provenance = { cluster, instance, attested, health, state, labels };
  const spoken = { ...endpoint, provenance: ['consul/dc1', 'vm', 'vm', 'nomad/x'].map((id) => ({ ...provenance, source: sourceId(id) })) };
  const { name, value } = encodeEndpoint('shop', 'orders', spoken);
  const decoded = decodePeerResource(urls.endpoint, name, value);
  assert.ok(decoded.ok && decoded.value.kind === 'endpoint');
  assert.deepEqual(decoded.value.value.otherSources, ['nomad/x', 'vm']);
  const wrong = peering.ExportedEndpoint.decode(value);
  wrong.otherSources = ['a b'];
  const refused = decodePeerResource(urls.endpoint, name, peering.ExportedEndpoint.encode(wrong).finish());
  assert.deepEqual(!refused.ok && refused.violations.map((v) => v.path), ['otherSources']);
});

test('whatever a peer sends, it decodes to a value that its name covers, or to what is wrong with it', () => {
  const edited = fc.constantFrom(...whole).chain(([typeUrl, { name, value }]) =>
    fc.tuple(fc.nat(value.length - 1), fc.nat(255)).map(([at, byte]) => {
      const copy = Buffer.from(value);
      copy[at] = byte;
      return [typeUrl, name, copy] as const;
    }),
  );
  const garbage = fc.tuple(fc.constantFrom(...Object.values(urls), 'other'), fc.string(), fc.uint8Array({ maxLength: 100 }));
  fc.assert(
    fc.property(fc.oneof(edited, garbage), ([typeUrl, name, value]) => {
      const decoded = decodePeerResource(typeUrl, name, value);
      if (!decoded.ok) assert.ok(decoded.violations.length > 0);
      else if (decoded.value.kind === 'service') assert.equal(`${decoded.value.value.namespace}/${decoded.value.value.name}`, name);
      else if (decoded.value.kind === 'endpoint') assert.ok(name.startsWith(`${decoded.value.service}/${decoded.value.source}/`));
    }),
    { numRuns: 3_000 },
  );
});

test('an invitation survives the clipboard whole or not at all', () => {
  const root = new MeshPki().root.certificate.der;
  const token = {
    id: '0d7a4c2e-6f0b-4c6e-9a55-1f2f3a4b5c6d',
    secret: Buffer.alloc(32, 7),
    cluster: 'east',
    trustDomain: 'mesh.test',
    root,
    addresses: ['east.example.org:15012', '[2001:db8::1]:15012'],
    inviterDials: false,
    expiresAt: 1_800_000_000_000,
  };
  const text = formatInviteToken(token);
  assert.deepEqual(parseInviteToken(`  ${text}\n`), { ok: true, value: token });
  fc.assert(
    fc.property(fc.nat(text.length - 1), (length) => {
      const parsed = parseInviteToken(text.slice(0, length));
      assert.equal(parsed.ok, false);
      // What is wrong is said without the secret.
      assert.ok(!JSON.stringify(parsed).includes(token.secret.toString('base64url')));
    }),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json().map((j) => Buffer.from(j).toString('base64url')),
      ),
      (t) => assert.equal(parseInviteToken(t).ok, false),
    ),
  );
});

test('a proof is for one message: whatever is changed or moved between fields, it no longer holds', () => {
  const secret = Buffer.alloc(32, 1);
  const text = fc.constantFrom('', 'a', 'b', 'ab', 'ba');
  const request = fc.record({
    invite: text,
    cluster: text,
    addresses: fc.array(text, { maxLength: 3 }),
    csr: text.map((t) => Buffer.from(t)),
  });
  const proofOf = (r: object) => joinProof(secret, peering.JoinRequest.create(r), Buffer.from('h')).toString('hex');
  fc.assert(
    fc.property(request, request, (a, b) => {
      assert.equal(proofOf(a) === proofOf(b), JSON.stringify(a) === JSON.stringify(b));
    }),
  );
  const labels = [
    offerProof(secret, 'i', Buffer.from('h')),
    joinProof(secret, peering.JoinRequest.create({ invite: 'i' }), Buffer.from('h')),
    replyProof(secret, peering.JoinReply.create({ invite: 'i' }), Buffer.from('h')),
  ];
  assert.equal(new Set(labels.map((l) => l.toString('hex'))).size, 3);
});
