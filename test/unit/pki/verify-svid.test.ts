import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bundleOf,
  generateKey,
  issueIntermediate,
  issueLeaf,
  issueLeafWithNames,
  issueRoot,
  type PeerVerdict,
  spkiOf,
  verifyHandshakenLeaf,
  verifySvid,
} from '../../../core/pki/index.ts';
import { MeshPki } from '../../support/mesh-pki.ts';

const now = Date.UTC(2026, 10, 21);
const hour = 3_600_000;
const mesh = new MeshPki('mesh.test', () => now);
const orders = 'spiffe://mesh.test/ns/shop/sa/orders';

function refused(verdict: PeerVerdict, reason: RegExp): void {
  assert.equal(verdict.ok, false);
  assert.match(verdict.ok ? '' : verdict.reason, reason);
}

test('an SVID of a cluster holds, with or without the intermediate in the chain', () => {
  const svid = mesh.svid('east', 'shop', 'orders');
  const verdict = verifySvid(svid.chainDer, mesh.bundle, now, { uriSans: [orders], clusterSan: 'east.cluster.mesh.test' });
  assert.equal(verdict.ok, true);
  if (!verdict.ok) return;
  assert.deepEqual(verdict.spiffeId, { trustDomain: 'mesh.test', namespace: 'shop', serviceAccount: 'orders' });
  assert.equal(verdict.cluster, 'east');
  assert.equal(verdict.serial, svid.serial);
  const alone = svid.chainDer.slice(0, 1);
  refused(verifySvid(alone, mesh.bundle, now), /no issuer/);
  const knowing = { ...mesh.bundle, intermediates: [{ cluster: 'east', certificate: mesh.cluster('east').certificate.der }] };
  assert.equal(verifySvid(alone, knowing, now).ok, true);
});

test('no cluster can speak for another', () => {
  const { chain } = mesh.forged('west', { uris: [orders], dns: ['east.cluster.mesh.test'] });
  refused(verifySvid(chain, mesh.bundle, now), /speaks for west\.cluster\.mesh\.test, not for east/);
  refused(
    verifySvid(mesh.svid('west', 'shop', 'orders').chainDer, mesh.bundle, now, { clusterSan: 'east.cluster.mesh.test' }),
    /expected east/,
  );
});

test('a leaf without the cluster name, which name constraints let pass, is refused', () => {
  refused(verifySvid(mesh.forged('west', { uris: [orders], dns: [] }).chain, mesh.bundle, now), /exactly one DNS SAN/);
});

test('names that are not exactly ours are refused', () => {
  const west = ['west.cluster.mesh.test'];
  const cases: [uris: string[], dns: string[], reason: RegExp][] = [
    [[], west, /exactly one URI/],
    [[orders, 'spiffe://mesh.test/ns/shop/sa/other'], west, /exactly one URI/],
    [[orders], [...west, 'sub.west.cluster.mesh.test'], /exactly one DNS/],
    [[orders], ['sub.west.cluster.mesh.test'], /not CLUSTER\.cluster/],
    [[orders], ['west.cluster.other.test'], /not CLUSTER\.cluster/],
    [['spiffe://other.test/ns/shop/sa/orders'], west, /trust domain other\.test/],
    [['https://mesh.test/ns/shop/sa/orders'], west, /URI SAN is not/],
    [['spiffe://mesh.test/ns/shop/sa/orders/extra'], west, /URI SAN is not/],
    [['spiffe://mesh.test/ns/shop/sa/'], west, /URI SAN is not/],
  ];
  for (const [uris, dns, reason] of cases) refused(verifySvid(mesh.forged('west', { uris, dns }).chain, mesh.bundle, now), reason);
});

test('another trust domain, even of the same name, is refused', () => {
  const other = new MeshPki('mesh.test', () => now);
  refused(verifySvid(other.svid('east', 'shop', 'orders').chainDer, mesh.bundle, now), /does not chain to a root/);
});

test('time and denial count for every certificate on the path', () => {
  const svid = mesh.svid('east', 'shop', 'orders');
  refused(verifySvid(svid.chainDer, mesh.bundle, now - 6 * 60_000), /not valid before/);
  assert.equal(verifySvid(svid.chainDer, mesh.bundle, now - 4 * 60_000).ok, true, 'backdated by 5 minutes');
  refused(verifySvid(svid.chainDer, mesh.bundle, now + hour + 1_000), /expired/);
  refused(verifySvid(svid.chainDer, { ...mesh.bundle, deniedSerials: [svid.serial] }, now), /denied/);
  refused(verifySvid(svid.chainDer, { ...mesh.bundle, deniedSerials: [mesh.cluster('east').certificate.serial] }, now), /denied/);
});

test('a leaf never outlives its intermediate, nor that its root', () => {
  const key = generateKey();
  const id = { trustDomain: 'mesh.test', namespace: 'shop', serviceAccount: 'orders' };
  const east = mesh.cluster('east');
  assert.equal(issueLeaf(east, spkiOf(key), id, 'east', now, 10_000 * hour).notAfter, east.certificate.notAfter);
  const long = issueIntermediate(mesh.root, spkiOf(key), 'east', 'mesh.test', now, 10_000 * hour);
  assert.equal(long.notAfter, mesh.root.certificate.notAfter);
});

test('only a constrained signing certificate may issue', () => {
  const key = generateKey();
  const names = { uris: [orders], dns: ['east.cluster.mesh.test'] };
  const byRoot = issueLeafWithNames(mesh.root, spkiOf(key), names, now, hour);
  refused(verifySvid([byRoot.der, mesh.root.certificate.der], mesh.bundle, now), /does not chain|no path length|not constrained|no issuer/);
  const leaf = mesh.svid('east', 'shop', 'orders');
  const [der] = leaf.chainDer;
  assert.ok(der);
  const signer = { key: leaf.key, certificate: issueLeafWithNames(mesh.cluster('east'), spkiOf(leaf.key), names, now, hour) };
  const byLeaf = issueLeafWithNames(signer, spkiOf(key), names, now, hour);
  refused(
    verifySvid([byLeaf.der, signer.certificate.der, mesh.cluster('east').certificate.der], mesh.bundle, now),
    /does not chain|not a signing|no issuer/,
  );
  const unconstrainedKey = generateKey();
  const unconstrained = { key: unconstrainedKey, certificate: issueRoot(unconstrainedKey, 'mesh.test', now, hour) };
  const below = issueLeafWithNames(unconstrained, spkiOf(key), names, now, hour);
  refused(verifySvid([below.der, unconstrained.certificate.der], mesh.bundle, now), /does not chain/);
  refused(verifySvid([mesh.cluster('east').certificate.der], mesh.bundle, now), /URI SAN/);
});

test('garbage is refused in words', () => {
  const [leaf] = mesh.svid('east', 'shop', 'orders').chainDer;
  assert.ok(leaf);
  refused(verifySvid([], mesh.bundle, now), /no certificate/);
  refused(verifySvid([Buffer.alloc(0)], mesh.bundle, now), /not an X\.509/);
  refused(verifySvid([Buffer.concat([leaf, Buffer.of(0)])], mesh.bundle, now), /after the end/);
  refused(
    verifySvid(
      Array.from({ length: 5 }, () => leaf),
      mesh.bundle,
      now,
    ),
    /more than 4/,
  );
  refused(verifySvid([leaf], bundleOf('mesh.test', [Buffer.from('no root')]), now), /no issuer/);
});

test('a leaf whose path only OpenSSL saw is still judged by name, issuer, time and denial', () => {
  const { chainDer, serial } = mesh.svid('east', 'shop', 'orders');
  const [leaf = Buffer.alloc(0)] = chainDer;
  assert.equal(verifyHandshakenLeaf(leaf, mesh.bundle, now).ok, true);
  refused(verifyHandshakenLeaf(leaf, mesh.bundle, now, { clusterSan: 'west.cluster.mesh.test' }), /expected west/);
  refused(verifyHandshakenLeaf(leaf, mesh.bundle, now + 2 * hour), /expired/);
  refused(verifyHandshakenLeaf(leaf, { ...mesh.bundle, deniedSerials: [serial] }, now), /denied/);
  const east = mesh.cluster('east').certificate;
  const knowing = { ...mesh.bundle, intermediates: [{ cluster: 'east', certificate: east.der }], deniedSerials: [east.serial] };
  refused(verifyHandshakenLeaf(leaf, knowing, now), /denied/);
  const nameless = mesh.forged('west', { uris: [orders], dns: [] }).chain[0] ?? Buffer.alloc(0);
  refused(verifyHandshakenLeaf(nameless, mesh.bundle, now), /exactly one DNS SAN/);
  const stolen = mesh.forged('west', { uris: [orders], dns: ['east.cluster.mesh.test'] }).chain[0] ?? Buffer.alloc(0);
  refused(verifyHandshakenLeaf(stolen, mesh.bundle, now), /no issuer/);
  const names = { uris: [orders], dns: ['east.cluster.mesh.test'] };
  const byRoot = issueLeafWithNames(mesh.root, spkiOf(generateKey()), names, now, hour);
  refused(verifyHandshakenLeaf(byRoot.der, mesh.bundle, now), /no issuer/);
});
