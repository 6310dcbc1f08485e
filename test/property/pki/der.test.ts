import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { children, DerError, readDer, readOid, readTime, readUnsigned } from '../../../core/pki/der-read.ts';
import { oidNode, time, unsigned } from '../../../core/pki/der-write.ts';
import { createCsr, generateKey, parseCertificate, parseCsr, pemBlocks, verifySvid } from '../../../core/pki/index.ts';
import { MeshPki } from '../../support/mesh-pki.ts';

const mesh = new MeshPki();
const svid = mesh.svid('east', 'shop', 'orders');
const leaf = svid.chainDer[0] ?? Buffer.alloc(0);
const issuer = svid.chainDer[1] ?? Buffer.alloc(0);
const key = generateKey();
const csr = createCsr(key, { uris: ['spiffe://mesh.test/ns/shop/sa/orders'] });

/** Any edit of valid bytes: overwritten, cut, doubled, spliced with rubbish. */
const edit = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), at: fc.nat(), byte: fc.nat(255) }),
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat(), byte: fc.nat(64) }),
  fc.record({ kind: fc.constant('insert' as const), at: fc.nat(), byte: fc.nat(255) }),
);

function edited(bytes: Buffer, edits: readonly { kind: 'set' | 'cut' | 'insert'; at: number; byte: number }[]): Buffer {
  let out = Buffer.from(bytes);
  for (const { kind, at, byte } of edits) {
    const place = out.length === 0 ? 0 : at % out.length;
    if (kind === 'set') out[place] = byte;
    else if (kind === 'cut') out = Buffer.concat([out.subarray(0, place), out.subarray(place + byte)]);
    else out = Buffer.concat([out.subarray(0, place), Buffer.of(byte), out.subarray(place)]);
  }
  return out;
}

test('no bytes make a parser throw', () => {
  const bytes = fc.uint8Array({ maxLength: 512 });
  fc.assert(
    fc.property(bytes, (input) => {
      parseCertificate(input);
      parseCsr(input);
      verifySvid([input, issuer], mesh.bundle, Date.now());
      assert.equal(verifySvid([leaf], { ...mesh.bundle, roots: [input] }, Date.now()).ok, false);
    }),
    { numRuns: 500 },
  );
});

test('a certificate of which any byte is another is refused', () => {
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
      const changed = edited(leaf, edits);
      fc.pre(!changed.equals(leaf));
      assert.equal(verifySvid([changed, issuer], mesh.bundle, Date.now()).ok, false);
      const changedIssuer = edited(issuer, edits);
      fc.pre(!changedIssuer.equals(issuer));
      assert.equal(verifySvid([leaf, changedIssuer], mesh.bundle, Date.now()).ok, false);
    }),
    { numRuns: 1_000 },
  );
});

test('a request of which any byte is another proves nothing', () => {
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
      const changed = edited(csr, edits);
      fc.pre(!changed.equals(csr));
      assert.equal(parseCsr(changed).ok, false);
    }),
    { numRuns: 1_000 },
  );
});

test('what is read is what was written', () => {
  const arcs = fc.tuple(fc.constantFrom(0, 1), fc.nat(39), fc.array(fc.nat(2 ** 31), { maxLength: 8 }));
  fc.assert(
    fc.property(arcs, ([first, second, rest]) => {
      const id = [first, second, ...rest].join('.');
      assert.equal(readOid(readDer(oidNode(id))), id);
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: Date.UTC(1950, 0), max: Date.UTC(9999, 11) }), (ms) => {
      assert.equal(readTime(readDer(time(ms))), Math.floor(ms / 1_000) * 1_000);
    }),
  );
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 160n }), (value) => {
      const hex = value.toString(16);
      const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
      assert.equal(BigInt(`0x${readUnsigned(readDer(unsigned(bytes))).toString('hex')}`), value);
    }),
  );
});

test('encodings that are BER but not DER are refused', () => {
  const refused = [
    '3080020101 0000',
    '30810302 0101',
    '3082000302 0101',
    '02020001',
    '0282000101',
    '1f8101 00',
    '0201',
    '30030201',
    '300302010100',
  ];
  for (const hex of refused) {
    const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
    assert.throws(() => children(readDer(bytes)).map((each) => readUnsigned(each)), DerError, hex);
  }
});

test('no text makes the PEM reader throw', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 2_000 }), (text) => Array.isArray(pemBlocks(`-----BEGIN CERTIFICATE-----\n${text}`, 'CERTIFICATE'))),
  );
});
