import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import {
  type AnyPeerVerdict,
  bundleOf,
  type TrustBundle,
  verifyForeign,
  verifyPeer,
  verifySvid,
  withOthers,
} from '../../../core/pki/index.ts';
import { der, ForeignDomain, type ForeignLeaf } from '../../support/foreign-domain.ts';
import { MeshPki } from '../../support/mesh-pki.ts';

const now = Date.UTC(2026, 10, 22);
const hour = 3_600_000;
const mesh = new MeshPki('mesh.test', () => now);
let partner: ForeignDomain;
let third: ForeignDomain;
let trust: TrustBundle;

before(async () => {
  partner = await ForeignDomain.create('partner.example', () => now);
  third = await ForeignDomain.create('third.example', () => now);
  trust = withOthers(mesh.bundle, [partner.bundle]);
});

function refused(verdict: AnyPeerVerdict, reason: RegExp, what: string): void {
  assert.equal(verdict.ok, false, what);
  assert.match(verdict.ok ? '' : verdict.reason, reason, what);
}

test('an identity of a federated domain is that, whatever its path looks like and whatever DNS names it brings', async () => {
  const cases: [uri: string, dns: string[], path: string][] = [
    ['spiffe://partner.example/workload', [], '/workload'],
    ['spiffe://partner.example/ns/shop/sa/orders', ['east.cluster.mesh.test'], '/ns/shop/sa/orders'],
    ['spiffe://partner.example/Region-1/v1.2_b/x', ['a.example', 'b.example'], '/Region-1/v1.2_b/x'],
  ];
  for (const [uri, dns, path] of cases) {
    const verdict = verifyPeer((await partner.leaf({ uris: [uri], dns })).chain, trust, now);
    assert.ok(verdict.ok && verdict.foreign === true, uri);
    assert.deepEqual(verdict.id, { trustDomain: 'partner.example', path });
  }
});

test('issuers below the authority hold, as many as there are, in any order, and where the leaf has no extended usage', async () => {
  const upper = await partner.signer();
  const lower = await partner.signer({ pathLength: 0, uri: 'spiffe://partner.example' }, upper);
  const leaf = await partner.leaf({ extended: [] }, lower);
  assert.equal(verifyPeer(leaf.chain, trust, now).ok, true);
  assert.equal(verifyPeer([leaf.chain[0] as Buffer, ...leaf.chain.slice(1).reverse()], trust, now).ok, true);
});

test('the mesh has its own as ever beside other domains, and nobody of them passes for one', async () => {
  const own = mesh.svid('east', 'shop', 'orders').chainDer;
  const verdict = verifyPeer(own, trust, now);
  assert.ok(verdict.ok && verdict.foreign === undefined && verdict.cluster === 'east');
  const { chain } = await partner.leaf({ uris: ['spiffe://mesh.test/ns/shop/sa/orders'], dns: ['east.cluster.mesh.test'] });
  refused(verifyPeer(chain, trust, now), /no issuer of the leaf is known/, 'their root, our name');
  refused(verifySvid(own, partner.bundle, now), /not partner\.example/, 'our leaf, their bundle');
});

test('no authority vouches for anybody of another domain', async () => {
  const id = ['spiffe://partner.example/workload'];
  const ours = mesh.forged('east', { uris: id, dns: ['east.cluster.mesh.test'] }).chain;
  const crossed = await third.leaf({ uris: id });
  // Their name and our names of the issuer, as OpenSSL would look them up.
  const signer = await partner.signer({ pathLength: 0, subject: 'O=Isthmus, CN=east of mesh.test' });
  const posing = await partner.leaf({ uris: ['spiffe://mesh.test/ns/shop/sa/orders'], dns: ['east.cluster.mesh.test'] }, signer);
  const cases: [string, readonly Buffer[], RegExp][] = [
    ['ours signs theirs', ours, /no authority of partner\.example/],
    ['a third signs theirs', crossed.chain, /no authority of partner\.example/],
    ['theirs signs ours through a look-alike of our intermediate', posing.chain, /does not chain to a root/],
    ['a third, not federated', (await third.leaf()).chain, /neither mesh\.test nor federated/],
  ];
  for (const [what, chain, reason] of cases) refused(verifyPeer(chain, trust, now), reason, what);
  const [leaf] = posing.chain;
  refused(
    verifyPeer([leaf as Buffer], trust, now, {}, true),
    /no issuer of the leaf is known/,
    'all that is seen is a leaf, and an authority of theirs may be above it',
  );
  assert.equal(verifyPeer([mesh.svid('east', 'a', 'b').chainDer[0] as Buffer], mesh.bundle, now, {}, true).ok, true);
});

test('whoever breaks a rule of X.509-SVID is refused, with the reason', async () => {
  const usage = x509.KeyUsageFlags;
  const signers = {
    notCa: await partner.signer({ ca: false }),
    short: await partner.signer({ pathLength: 0 }),
    stranger: await partner.signer({ uri: 'spiffe://mesh.test' }),
    constrained: await partner.signer({ extensions: [nameConstraint(2, 'inside.example')] }),
    unreadable: await partner.signer({ extensions: [nameConstraint(6, '.partner.example')] }),
    odd: await partner.signer({ extensions: [new x509.Extension('1.2.3.4', true, new Uint8Array([5, 0]))] }),
  };
  const below = await partner.signer({}, signers.short);
  const leaf = (options: Parameters<ForeignDomain['leaf']>[0]) => partner.leaf(options);
  const cases: [string, ForeignLeaf, RegExp][] = [
    ['no URI', await leaf({ uris: [] }), /no issuer|exactly one/],
    ['two URIs', await leaf({ uris: ['spiffe://partner.example/a', 'spiffe://partner.example/b'] }), /exactly one/],
    ['two URIs of two domains', await leaf({ uris: ['spiffe://partner.example/a', 'spiffe://mesh.test/ns/a/sa/b'] }), /exactly one/],
    ['no path', await leaf({ uris: ['spiffe://partner.example'] }), /URI SAN/],
    ['empty segment', await leaf({ uris: ['spiffe://partner.example/a//b'] }), /no SPIFFE id/],
    ['dots', await leaf({ uris: ['spiffe://partner.example/a/../b'] }), /no SPIFFE id/],
    ['trailing slash', await leaf({ uris: ['spiffe://partner.example/a/'] }), /no SPIFFE id/],
    ['escape', await leaf({ uris: ['spiffe://partner.example/a%2fb'] }), /no SPIFFE id/],
    ['query', await leaf({ uris: ['spiffe://partner.example/a?b'] }), /no SPIFFE id/],
    ['port', await leaf({ uris: ['spiffe://partner.example:443/a'] }), /neither/],
    ['upper-case domain', await leaf({ uris: ['spiffe://Partner.example/a'] }), /neither/],
    ['longer domain', await leaf({ uris: ['spiffe://partner.example.evil/a'] }), /neither/],
    ['a CA', await leaf({ ca: true, usage: usage.digitalSignature | usage.keyCertSign }), /signing certificate is no identity/],
    ['may sign certificates', await leaf({ usage: usage.digitalSignature | usage.keyCertSign }), /no identity/],
    ['no digital signature', await leaf({ usage: usage.keyEncipherment }), /not for digital signatures/],
    ['server only', await leaf({ extended: [x509.ExtendedKeyUsage.serverAuth] }), /both client and server/],
    ['expired', await leaf({ notAfter: now - 1_000 }), /expired/],
    ['not yet', await leaf({ notBefore: now + hour / 2 }), /not valid before/],
    ['critical and unknown', await leaf({ extensions: [new x509.Extension('1.2.3.4', true, new Uint8Array([5, 0]))] }), /unknown critical/],
    ['issuer is a leaf', await partner.leaf({}, signers.notCa), /not a signing certificate/],
    ['too long a path', await partner.leaf({}, below), /path length of 0/],
    ['issuer of another domain', await partner.leaf({}, signers.stranger), /an issuer is spiffe:\/\/mesh\.test/],
    ['outside its constraint', await partner.leaf({ dns: ['outside.example'] }, signers.constrained), /not permitted the name/],
    ['a constraint that cannot be checked', await partner.leaf({}, signers.unreadable), /another form than DNS/],
    ['issuer with a critical extension', await partner.leaf({}, signers.odd), /an issuer has an unknown critical/],
  ];
  for (const [what, { chain }, reason] of cases) refused(verifyPeer(chain, trust, now), reason, what);
  assert.equal(verifyPeer((await partner.leaf({ dns: ['a.inside.example'] }, signers.constrained)).chain, trust, now).ok, true);
});

test('bytes that are no certificates, and chains that are too long, are refused', async () => {
  const { chain } = await partner.leaf();
  refused(verifyForeign([], partner.bundle, now), /no certificate/, 'empty');
  refused(verifyForeign([Buffer.from('x')], partner.bundle, now), /not an X\.509/, 'garbage');
  refused(verifyForeign([...chain, ...chain, ...chain, ...chain, ...chain], partner.bundle, now), /more than 4/, 'long');
  refused(verifyForeign(chain, bundleOf('partner.example', [Buffer.from('x')]), now), /no authority/, 'a bundle of garbage');
});

test('who is expected must come, and where a cluster of ours is expected nobody of theirs will do', async () => {
  const uri = 'spiffe://partner.example/workload';
  const { chain } = await partner.leaf({ dns: ['east.cluster.mesh.test'] });
  assert.equal(verifyPeer(chain, trust, now, { uriSans: [uri] }).ok, true);
  refused(verifyPeer(chain, trust, now, { uriSans: ['spiffe://partner.example/other'] }), /expected spiffe/, 'another');
  refused(verifyPeer(chain, trust, now, { uriSans: [uri], clusterSan: 'east.cluster.mesh.test' }), /no cluster of this mesh/, 'cluster');
});

test('a federated bundle under our own name is none', () => {
  const posing = { ...bundleOf('mesh.test', [der(partner.authority.certificate)]), federated: true as const };
  assert.equal(withOthers(mesh.bundle, [posing]), mesh.bundle);
});

/** `permittedSubtrees` with one name of the given form. */
function nameConstraint(form: number, name: string): x509.Extension {
  const text = Buffer.from(name, 'latin1');
  const wrap = (tag: number, content: Buffer) => Buffer.concat([Buffer.of(tag, content.length), content]);
  const value = wrap(0x30, wrap(0xa0, wrap(0x30, wrap(0x80 | form, text))));
  return new x509.Extension('2.5.29.30', true, value);
}
