import assert from 'node:assert/strict';
import { ECDH, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { test } from 'node:test';
import { bits, context, contextBytes, octets, oidNode, seq, set, unsigned, utf8 } from '../../../core/pki/der-write.ts';
import { generateKey, parseCsr, spkiOf } from '../../../core/pki/index.ts';
import { oid } from '../../../core/pki/oids.ts';

const key = generateKey();
const other = generateKey();
const spki = spkiOf(key);

interface Parts {
  readonly version?: Buffer;
  readonly subject?: Buffer;
  readonly spki?: Uint8Array;
  readonly attributes?: readonly Buffer[];
  readonly algorithm?: Buffer;
  readonly digest?: string;
  readonly signer?: KeyObject;
  readonly signature?: (made: Buffer) => Buffer;
  readonly more?: readonly Buffer[];
}

/** Right in everything that `parts` leaves out, and signed after it was made. */
function request(parts: Parts = {}): Buffer {
  const info = seq(
    parts.version ?? unsigned(Buffer.of(0)),
    parts.subject ?? seq(),
    parts.spki ?? spki,
    context(0, ...(parts.attributes ?? [])),
  );
  const made = bits(sign(parts.digest ?? 'sha256', info, parts.signer ?? key));
  const algorithm = parts.algorithm ?? seq(oidNode(oid.ecdsaSha256));
  return seq(info, algorithm, parts.signature?.(made) ?? made, ...(parts.more ?? []));
}

const uriName = (text: string) => contextBytes(6, Buffer.from(text, 'latin1'));
const asking = (...names: readonly Buffer[]) =>
  seq(oidNode(oid.extensionRequest), set(seq(seq(oidNode(oid.subjectAltName), octets(seq(...names))))));
const curve = (id: string) => seq(oidNode('1.2.840.10045.2.1'), oidNode(id));
const spkiOfKind = (kind: KeyObject) => kind.export({ type: 'spki', format: 'der' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const ed = generateKeyPairSync('ed25519');
const offCurve = Buffer.from(spki);
offCurve[spki.length - 1] = (offCurve.at(-1) ?? 0) ^ 1;
const huge = Buffer.concat([spki.subarray(0, spki.length - 64), Buffer.alloc(64, 0xff)]);
const compressedPoint = ECDH.convertKey(spki.subarray(-65), 'prime256v1', undefined, undefined, 'compressed') as Buffer;
const twice = asking(uriName('spiffe://mesh.test/ns/a/sa/b'));

const wrong: readonly (readonly [string, Buffer, RegExp])[] = [
  ['nothing', Buffer.alloc(0), /truncated/],
  ['bytes after the end', Buffer.concat([request(), Buffer.of(0)]), /after the end/],
  ['a fourth part', request({ more: [seq()] }), /more than three parts/],
  ['more than 64 KiB', Buffer.alloc(70_000, 0x30), /more than/],
  ['another version', request({ version: unsigned(Buffer.of(2)) }), /version/],
  ['a subject that is no name', request({ subject: utf8('orders') }), /tag/],
  ['no key', request({ spki: Buffer.alloc(0) }), /tag|missing/],
  ['a key on P-384', request({ spki: spkiOfKind(p384.publicKey), signer: p384.privateKey }), /not P-256/],
  ['an RSA key', request({ spki: spkiOfKind(rsa.publicKey), signer: rsa.privateKey }), /not P-256/],
  ['an Ed25519 key', request({ spki: spkiOfKind(ed.publicKey) }), /not P-256/],
  ['a point off the curve', request({ spki: offCurve }), /not P-256/],
  ['coordinates beyond the field', request({ spki: huge }), /not P-256/],
  ['the point at infinity', request({ spki: seq(curve('1.2.840.10045.3.1.7'), bits(Buffer.of(0))) }), /not P-256/],
  ['a compressed point', request({ spki: seq(curve('1.2.840.10045.3.1.7'), bits(compressedPoint)) }), /not P-256/],
  ['secp256k1 by its name', request({ spki: seq(curve('1.3.132.0.10'), bits(spki.subarray(-65))) }), /not P-256/],
  ['the key of somebody else', request({ signer: other }), /does not prove/],
  ['a signature of nothing', request({ signature: () => bits(Buffer.alloc(0)) }), /does not prove/],
  ['r and s of zero', request({ signature: () => bits(seq(unsigned(Buffer.of(0)), unsigned(Buffer.of(0)))) }), /does not prove/],
  [
    'a signature with bytes after it',
    request({ signature: (made) => bits(Buffer.concat([made.subarray(3), Buffer.of(0)])) }),
    /does not prove/,
  ],
  ['a signature with unused bits', request({ signature: (made) => bits(made.subarray(3), 1) }), /unused bits/],
  ['SHA-1', request({ algorithm: seq(oidNode('1.2.840.10045.4.1')), digest: 'sha1' }), /does not prove/],
  ['another hash than was signed', request({ algorithm: seq(oidNode(oid.ecdsaSha384)) }), /does not prove/],
  ["RSA's algorithm for an EC key", request({ algorithm: seq(oidNode(oid.rsaSha256)) }), /does not prove/],
  ['an unknown algorithm', request({ algorithm: seq(oidNode('1.2.3.4')) }), /does not prove/],
  ['two extension requests', request({ attributes: [twice, twice] }), /extension request twice/],
  ['an empty extension request', request({ attributes: [seq(oidNode(oid.extensionRequest), set())] }), /empty extension request/],
  ['an IP address', request({ attributes: [asking(contextBytes(7, Buffer.of(10, 0, 0, 1)))] }), /neither URI nor DNS/],
  ['an e-mail address', request({ attributes: [asking(contextBytes(1, Buffer.from('a@b.test')))] }), /neither URI nor DNS/],
  ['a NUL in a name', request({ attributes: [asking(uriName('spiffe://mesh.test\0/ns/a'))] }), /control/],
];

for (const [name, der, reason] of wrong) {
  test(`a request is refused: ${name}`, () => {
    const read = parseCsr(der);
    assert.ok(!read.ok);
    assert.match(read.violations[0]?.message ?? '', reason);
  });
}

test('one that is right in all of this is taken, also with a hash that is longer', () => {
  const names = asking(uriName('spiffe://mesh.test/ns/a/sa/b'), contextBytes(2, Buffer.from('east.cluster.mesh.test')));
  for (const hash of [{}, { digest: 'sha384', algorithm: seq(oidNode(oid.ecdsaSha384)) }]) {
    const read = parseCsr(request({ attributes: [names], ...hash }));
    assert.deepEqual(read.ok && read.value, {
      spki,
      requestedUris: ['spiffe://mesh.test/ns/a/sa/b'],
      requestedDns: ['east.cluster.mesh.test'],
    });
  }
});

test('what is kept of a request is not the memory it came in', () => {
  const der = request();
  const read = parseCsr(der);
  der.fill(0);
  assert.deepEqual(read.ok && read.value.spki, spki);
});
