import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import {
  bundleOf,
  generateKey,
  type Issuer,
  issueIntermediate,
  issueLeaf,
  issueLeafWithNames,
  issueRoot,
  type PeerExpectation,
  spkiOf,
  type TrustBundle,
} from '../../core/pki/index.ts';
import { craftedRows, foreignRows } from './make-foreign-vectors.ts';
import { MeshPki } from './mesh-pki.ts';
import { bundleToJson, hexOf, judge, mutate, type PeerVector, type PeerVectors } from './peer-vectors.ts';
import { type Chain, east, hour, now, orders, type Rows } from './vector-rows.ts';

/** New keys and certificates each time; the keys are thrown away. */
export async function makePeerVectors(): Promise<PeerVectors> {
  const mesh = new MeshPki('mesh.test', () => now);
  const bundles: Record<string, TrustBundle> = {};
  const rows: Rows = [
    ...ownRows(mesh, bundles),
    ...rootRows(bundles),
    ...(await craftedRows(bundles)),
    ...(await foreignRows(mesh, bundles)),
    ...garbageRows(mesh, bundles),
  ];
  const cases = rows.map(([name, bundle, chain, { expectation = {}, now: at } = {}]): PeerVector => {
    const hex = chain.map(hexOf);
    const verdict = judge(hex, bundles[bundle] as TrustBundle, at ?? now, expectation);
    return { name, bundle, ...(at === undefined ? {} : { now: at }), chain: hex, expectation, verdict };
  });
  const mutated = ['an SVID', 'foreign: issuers between'].flatMap((name) => {
    const vector = cases.find((each) => each.name === name) as PeerVector;
    const bundle = bundles[vector.bundle] as TrustBundle;
    // Issuers without 0x01: of keys in a BIT STRING with a few unused bits OpenSSL takes what others refuse.
    const places = [
      [0, 0x01],
      [0, 0x20],
      [1, 0x20],
      [1, 0x80],
    ] as const;
    return places.map(([certificate, xor]) => mutate(vector, bundle, now, certificate, xor));
  });
  const json = Object.fromEntries(Object.entries(bundles).map(([name, bundle]) => [name, bundleToJson(bundle)]));
  return { now, bundles: json, cases, mutations: mutated };
}

function ownRows(mesh: MeshPki, bundles: Record<string, TrustBundle>): Rows {
  const svid = mesh.svid('east', 'shop', 'orders');
  const issuer = mesh.cluster('east').certificate;
  const [leaf = Buffer.alloc(0)] = svid.chainDer;
  bundles['mesh'] = mesh.bundle;
  bundles['knowing'] = { ...mesh.bundle, intermediates: [{ cluster: 'east', certificate: issuer.der }] };
  bundles['leaf denied'] = { ...mesh.bundle, deniedSerials: [svid.serial] };
  bundles['intermediate denied'] = { ...mesh.bundle, deniedSerials: [issuer.serial] };
  const forged = (uris: string[], dns: string[], signer = 'east') => mesh.forged(signer, { uris, dns }).chain;
  const expecting = (expectation: PeerExpectation) => ({ expectation });
  return [
    ['an SVID', 'mesh', svid.chainDer],
    [
      'an SVID of those that are expected',
      'mesh',
      svid.chainDer,
      expecting({ uriSans: ['spiffe://mesh.test/x', orders], clusterSan: east }),
    ],
    ['the intermediate from the bundle', 'knowing', [leaf]],
    ['the root sent along', 'mesh', [...svid.chainDer, mesh.root.certificate.der]],
    ['its own issuer after another', 'mesh', [leaf, mesh.cluster('west').certificate.der, issuer.der]],
    ['no issuer', 'mesh', [leaf]],
    ['forged cluster', 'mesh', forged([orders], [east], 'west')],
    ['another cluster than expected', 'mesh', mesh.svid('west', 'shop', 'orders').chainDer, expecting({ clusterSan: east })],
    ['another identity than expected', 'mesh', svid.chainDer, expecting({ uriSans: ['spiffe://mesh.test/ns/a/sa/b', `${orders}2`] })],
    ['nobody is expected', 'mesh', svid.chainDer, expecting({ uriSans: [] })],
    ['no DNS SAN', 'mesh', forged([orders], [])],
    ['two DNS SANs', 'mesh', forged([orders], [east, east])],
    ['DNS SAN below the cluster', 'mesh', forged([orders], [`a.${east}`])],
    ['DNS SAN of another domain', 'mesh', forged([orders], ['east.cluster.other.test'])],
    ['DNS SAN without a dot', 'mesh', forged([orders], ['east'])],
    ['no URI SAN', 'mesh', forged([], [east])],
    ['two URI SANs', 'mesh', forged([orders, `${orders}2`], [east])],
    ['another trust domain', 'mesh', forged(['spiffe://other.test/ns/shop/sa/orders'], [east])],
    ['another scheme', 'mesh', forged(['https://mesh.test/ns/shop/sa/orders'], [east])],
    ['a longer path', 'mesh', forged([`${orders}/extra`], [east])],
    ['an empty account', 'mesh', forged(['spiffe://mesh.test/ns/shop/sa/'], [east])],
    ['another mesh of the same name', 'mesh', new MeshPki('mesh.test', () => now).svid('east', 'shop', 'orders').chainDer],
    ['not yet', 'mesh', svid.chainDer, { now: now - 6 * 60_000 }],
    ['backdated', 'mesh', svid.chainDer, { now: now - 4 * 60_000 }],
    ['the last moment', 'mesh', svid.chainDer, { now: now + hour }],
    ['expired', 'mesh', svid.chainDer, { now: now + hour + 1_000 }],
    ['expired intermediate', 'mesh', shortIssuer(mesh), { now: now + hour }],
    ['denied serial of the leaf', 'leaf denied', svid.chainDer],
    ['denied serial of the intermediate', 'intermediate denied', svid.chainDer],
    ['signed by the root', 'mesh', [issueLeafWithNames(mesh.root, spkiOf(svid.key), { uris: [orders], dns: [east] }, now, hour).der]],
    ['signed by a leaf', 'mesh', signedByLeaf(mesh, svid.key)],
    ['an intermediate as the peer', 'mesh', [issuer.der]],
  ];
}

/** A leaf that outlives its issuer. */
function shortIssuer(mesh: MeshPki): Chain {
  const key = generateKey();
  const long = mesh.cluster('east').certificate;
  const { der: issuer } = issueIntermediate(mesh.root, spkiOf(key), 'east', 'mesh.test', now, hour / 2);
  const id = { trustDomain: 'mesh.test', namespace: 'shop', serviceAccount: 'orders' };
  return [issueLeaf({ key, certificate: long }, spkiOf(generateKey()), id, 'east', now, 2 * hour).der, issuer];
}

function signedByLeaf(mesh: MeshPki, key: KeyObject): Chain {
  const names = { uris: [orders], dns: [east] };
  const signer: Issuer = { key, certificate: issueLeafWithNames(mesh.cluster('east'), spkiOf(key), names, now, hour) };
  const leaf = issueLeafWithNames(signer, spkiOf(generateKey()), names, now, hour);
  return [leaf.der, signer.certificate.der, mesh.cluster('east').certificate.der];
}

/** Roots of every kind of key that may be one. */
function rootRows(bundles: Record<string, TrustBundle>): Rows {
  const kinds: [string, KeyObject][] = [
    ['P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey],
    ['P-521', generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey],
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey],
  ];
  return kinds.map(([kind, key]) => {
    const root = { key, certificate: issueRoot(key, 'mesh.test', now, 24 * hour) };
    bundles[kind] = bundleOf('mesh.test', [root.certificate.der]);
    const below = generateKey();
    const issuer = { key: below, certificate: issueIntermediate(root, spkiOf(below), 'east', 'mesh.test', now, 12 * hour) };
    const id = { trustDomain: 'mesh.test', namespace: 'shop', serviceAccount: 'orders' };
    const leaf = issueLeaf(issuer, spkiOf(generateKey()), id, 'east', now, hour);
    return [`a root with a key of ${kind}`, kind, [leaf.der, issuer.certificate.der]];
  });
}

function garbageRows(mesh: MeshPki, bundles: Record<string, TrustBundle>): Rows {
  const [leaf = Buffer.alloc(0), issuer = Buffer.alloc(0)] = mesh.svid('east', 'shop', 'orders').chainDer;
  const cut = [1, 2, 4, 100, -1].map((end): Rows[number] => [`garbage: cut at ${end}`, 'mesh', [leaf.subarray(0, end), issuer]]);
  bundles['garbage'] = bundleOf('mesh.test', [Buffer.from('no root')]);
  const last = Buffer.from(leaf);
  last[last.length - 1] = (last[last.length - 1] ?? 0) ^ 1;
  return [
    ...cut,
    ['garbage: nothing', 'mesh', []],
    ['garbage: an empty certificate', 'mesh', [Buffer.alloc(0)]],
    ['garbage: text', 'mesh', [Buffer.from('GET / HTTP/1.1')]],
    ['garbage: bytes after the end', 'mesh', [Buffer.concat([leaf, Buffer.of(0)]), issuer]],
    ['garbage: indefinite length', 'mesh', [Buffer.from('308000000000', 'hex')]],
    ['garbage: another signature', 'mesh', [last, issuer]],
    ['garbage: after the leaf', 'mesh', [leaf, Buffer.from('x')]],
    ['garbage: five certificates', 'mesh', [leaf, issuer, issuer, issuer, issuer]],
    ['garbage: in the bundle', 'garbage', [leaf, issuer]],
  ];
}
