import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
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
  withOthers,
} from '../../core/pki/index.ts';
import { der, ForeignDomain } from './foreign-domain.ts';
import { MeshPki } from './mesh-pki.ts';
import { bundleToJson, hexOf, judge, mutate, type PeerVector, type PeerVectors } from './peer-vectors.ts';

const now = Date.UTC(2026, 10, 22);
const hour = 3_600_000;
const orders = 'spiffe://mesh.test/ns/shop/sa/orders';
const east = 'east.cluster.mesh.test';

type Chain = readonly Uint8Array[];
type Rows = (readonly [name: string, bundle: string, chain: Chain, more?: { expectation?: PeerExpectation; now?: number }])[];

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
  const mutated = ['an SVID', 'foreign: a workload'].flatMap((name) => {
    const vector = cases.find((each) => each.name === name) as PeerVector;
    return [0x01, 0x80].map((xor) => mutate(vector, bundles[vector.bundle] as TrustBundle, now, xor));
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

const odd = new x509.Extension('1.2.3.4', true, new Uint8Array([5, 0]));

/** Certificates of the mesh's own domain that no issuer of ours makes, by roots that a bundle has. */
async function craftedRows(bundles: Record<string, TrustBundle>): Promise<Rows> {
  const crafted = await ForeignDomain.create('mesh.test', () => now);
  bundles['crafted'] = bundleOf('mesh.test', [der(crafted.authority.certificate)]);
  const constrained = nameConstraints([[2, east]]);
  const usage = x509.KeyUsageFlags;
  const issuer = await crafted.signer({ pathLength: 0, extensions: [constrained] });
  const by = async (options: Parameters<ForeignDomain['signer']>[0]) => (await leaf({}, await crafted.signer(options))) as Chain;
  const leaf = async (options: Parameters<ForeignDomain['leaf']>[0] = {}, signer = issuer) =>
    (await crafted.leaf({ uris: [orders], dns: [east], ...options }, signer)).chain;
  const names = (...list: x509.JsonGeneralNames) => new x509.SubjectAlternativeNameExtension(list);
  const [url, dns] = [
    { type: 'url' as const, value: orders },
    { type: 'dns' as const, value: east },
  ];
  const rows: Rows = [
    ['crafted: as it should be', 'crafted', await leaf()],
    ['crafted: unknown critical extension', 'crafted', await leaf({ extensions: [odd] })],
    ['crafted: a CA', 'crafted', await leaf({ ca: true })],
    ['crafted: may sign certificates', 'crafted', await leaf({ usage: usage.digitalSignature | usage.keyCertSign })],
    ['crafted: not for digital signatures', 'crafted', await leaf({ usage: usage.keyEncipherment })],
    ['crafted: not for client authentication', 'crafted', await leaf({ extended: [x509.ExtendedKeyUsage.serverAuth] })],
    ['crafted: not for server authentication', 'crafted', await leaf({ extended: [x509.ExtendedKeyUsage.clientAuth] })],
    ['crafted: for no use that it says', 'crafted', await leaf({ extended: [] })],
    [
      'crafted: another kind of SAN',
      'crafted',
      await leaf({ uris: [], dns: [], extensions: [names(url, dns, { type: 'email', value: 'a@b.c' })] }),
    ],
    ['crafted: unconstrained intermediate', 'crafted', await by({ pathLength: 0 })],
    ['crafted: intermediate without path length', 'crafted', await by({ extensions: [constrained] })],
    ['crafted: intermediate of path length 1', 'crafted', await by({ pathLength: 1, extensions: [constrained] })],
    ['crafted: intermediate that is no CA', 'crafted', await by({ ca: false, extensions: [constrained] })],
    ['crafted: intermediate with a critical extension', 'crafted', await by({ pathLength: 0, extensions: [constrained, odd] })],
    [
      'crafted: intermediate of two clusters',
      'crafted',
      await by({
        pathLength: 0,
        extensions: [
          nameConstraints([
            [2, east],
            [2, 'a'],
          ]),
        ],
      }),
    ],
    ['crafted: intermediate constrained by URI', 'crafted', await by({ pathLength: 0, extensions: [nameConstraints([[6, 'mesh.test']])] })],
    [
      'crafted: intermediate with an exclusion',
      'crafted',
      await by({ pathLength: 0, extensions: [nameConstraints([[2, east]], [[2, 'a']])] }),
    ],
    [
      'crafted: intermediate below another',
      'crafted',
      await leaf({}, await crafted.signer({ pathLength: 0, extensions: [constrained] }, issuer)),
    ],
  ];
  const roots: [string, Parameters<ForeignDomain['signer']>[0]][] = [
    ['of path length 0', { pathLength: 0 }],
    ['that is no CA', { ca: false }],
    ['with name constraints', { extensions: [constrained] }],
    ['with a critical extension', { extensions: [odd] }],
  ];
  for (const [what, options] of roots) {
    const root = await crafted.signer(options);
    const below = await crafted.signer({ pathLength: 0, extensions: [constrained] }, root);
    bundles[`root ${what}`] = bundleOf('mesh.test', [der(root.certificate)]);
    rows.push([`crafted: root ${what}`, `root ${what}`, await leaf({}, below)]);
  }
  return rows;
}

async function foreignRows(mesh: MeshPki, bundles: Record<string, TrustBundle>): Promise<Rows> {
  const partner = await ForeignDomain.create('partner.example', () => now);
  const third = await ForeignDomain.create('third.example', () => now);
  const own = mesh.svid('east', 'shop', 'orders').chainDer;
  const { chain } = await partner.leaf();
  bundles['federated'] = withOthers(mesh.bundle, [partner.bundle]);
  const serial = new x509.X509Certificate(chain[0] as Uint8Array<ArrayBuffer>).serialNumber;
  bundles['foreign denied'] = withOthers(mesh.bundle, [{ ...partner.bundle, deniedSerials: [serial] }]);
  const leaf = async (options: Parameters<ForeignDomain['leaf']>[0] = {}, signer = partner.authority) =>
    (await partner.leaf(options, signer)).chain;
  const by = async (options: Parameters<ForeignDomain['signer']>[0], dns: string[] = []) => leaf({ dns }, await partner.signer(options));
  const upper = await partner.signer();
  const lower = await partner.signer({ pathLength: 0, uri: 'spiffe://partner.example' }, upper);
  const expecting = (expectation: PeerExpectation) => ({ expectation });
  const inside = nameConstraints([[2, 'inside.example']]);
  const rows: [string, Chain, { expectation: PeerExpectation }?][] = [
    ['a workload', chain],
    ['as expected', chain, expecting({ uriSans: ['spiffe://partner.example/workload'] })],
    ['a path like ours', await leaf({ uris: ['spiffe://partner.example/ns/shop/sa/orders'], dns: [east] })],
    ['issuers between', await leaf({ extended: [] }, lower)],
    ['ours beside them', own],
    ['another than expected', chain, expecting({ uriSans: ['spiffe://partner.example/other'] })],
    ['a cluster of ours expected', chain, expecting({ clusterSan: east })],
    ['their root, our name', await leaf({ uris: [orders], dns: [east] })],
    ['our root, their name', mesh.forged('east', { uris: ['spiffe://partner.example/workload'], dns: [east] }).chain],
    ['a third, not federated', (await third.leaf()).chain],
    ['a third signs theirs', (await third.leaf({ uris: ['spiffe://partner.example/workload'] })).chain],
    ['no URI', await leaf({ uris: [] })],
    ['two URIs', await leaf({ uris: ['spiffe://partner.example/a', 'spiffe://partner.example/b'] })],
    ['no path', await leaf({ uris: ['spiffe://partner.example'] })],
    ['empty segment', await leaf({ uris: ['spiffe://partner.example/a//b'] })],
    ['dots', await leaf({ uris: ['spiffe://partner.example/a/../b'] })],
    ['port', await leaf({ uris: ['spiffe://partner.example:443/a'] })],
    ['a CA', await leaf({ ca: true })],
    ['not for digital signatures', await leaf({ usage: x509.KeyUsageFlags.keyEncipherment })],
    ['server only', await leaf({ extended: [x509.ExtendedKeyUsage.serverAuth] })],
    ['unknown critical extension', await leaf({ extensions: [odd] })],
    ['expired', await leaf({ notAfter: now - 1_000 })],
    ['not yet', await leaf({ notBefore: now + hour / 2 })],
    ['issuer is a leaf', await by({ ca: false })],
    ['too long a path', await leaf({}, await partner.signer({}, await partner.signer({ pathLength: 0 })))],
    ['issuer of another domain', await by({ uri: 'spiffe://mesh.test' })],
    ['issuer with a critical extension', await by({ extensions: [odd] })],
    ['outside its constraint', await by({ extensions: [inside] }, ['outside.example'])],
    ['inside its constraint', await by({ extensions: [inside] }, ['a.Inside.example'])],
    ['excluded', await by({ extensions: [nameConstraints([], [[2, '.inside.example']])] }, ['a.inside.example'])],
    ['a constraint that cannot be checked', await by({ extensions: [nameConstraints([[6, '.partner.example']])] })],
  ];
  const foreign: Rows = rows.map(([name, shown, more]) => [`foreign: ${name}`, 'federated', shown, more ?? {}]);
  bundles['maze'] = withOthers(mesh.bundle, [{ ...partner.bundle, roots: await maze(partner) }]);
  return [...foreign, ['foreign: denied', 'foreign denied', chain], ['foreign: a maze', 'maze', chain]];
}

/** Authorities of one name, more than anybody tries. */
async function maze(domain: ForeignDomain): Promise<Uint8Array[]> {
  const made = Array.from({ length: 33 }, () => ForeignDomain.create(domain.trustDomain, () => now));
  return (await Promise.all(made)).map((each) => der(each.authority.certificate));
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

/** Critical, with names of any form: 2 is DNS, 6 is URI. */
function nameConstraints(permitted: [number, string][], excluded: [number, string][] = []): x509.Extension {
  const wrap = (tag: number, ...content: Buffer[]) => {
    const whole = Buffer.concat(content);
    return Buffer.concat([Buffer.of(tag, whole.length), whole]);
  };
  const trees = (list: [number, string][]) => list.map(([form, name]) => wrap(0x30, wrap(0x80 | form, Buffer.from(name, 'latin1'))));
  const parts = [permitted, excluded].map((list, n) => (list.length === 0 ? Buffer.alloc(0) : wrap(0xa0 | n, ...trees(list))));
  return new x509.Extension('2.5.29.30', true, wrap(0x30, ...parts));
}
