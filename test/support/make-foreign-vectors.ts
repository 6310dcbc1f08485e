import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { bundleOf, type PeerExpectation, type TrustBundle, withOthers } from '../../core/pki/index.ts';
import { der, ForeignDomain } from './foreign-domain.ts';
import type { MeshPki } from './mesh-pki.ts';
import { type Chain, east, hour, now, orders, type Rows } from './vector-rows.ts';

const odd = new x509.Extension('1.2.3.4', true, new Uint8Array([5, 0]));

/** Certificates of the mesh's own domain that no issuer of ours makes, by roots that a bundle has. */
export async function craftedRows(bundles: Record<string, TrustBundle>): Promise<Rows> {
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

/** Peers of other trust domains, beside our own. */
export async function foreignRows(mesh: MeshPki, bundles: Record<string, TrustBundle>): Promise<Rows> {
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
