import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { contentDigest, formatBundle, parseBundle } from '../../../control/federation/bundle-document.ts';
import { foreignBundle, refreshAfterMs, retryAfterMs, successionFault } from '../../../control/federation/foreign-bundle.ts';
import { generateKey, spkiOf } from '../../../core/pki/index.ts';
import { ForeignDomain } from '../../support/foreign-domain.ts';
import { MeshPki } from '../../support/mesh-pki.ts';

const mesh = new MeshPki();
const authority = mesh.root.certificate.der;
const jwt = { keyId: 'k1', publicKey: spkiOf(generateKey()) };

const x5c = authority.toString('base64');
const ec = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y' };
const faults = (document: unknown) => {
  const parsed = parseBundle(typeof document === 'string' ? document : JSON.stringify(document));
  return parsed.ok ? [] : parsed.violations.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
};

test('what is published is read again as it was, and says so by the standard names', () => {
  const text = formatBundle({ authorities: [authority], jwtKeys: [jwt], sequence: 7, refreshHintMs: 300_000 });
  const document = JSON.parse(text);
  assert.equal(document.spiffe_sequence, 7);
  assert.equal(document.spiffe_refresh_hint, 300);
  assert.deepEqual(
    document.keys.map((key: Record<string, unknown>) => [key['kty'], key['crv'], key['use'], key['kid'] ?? '-', key['x5c'] ?? '-']),
    [
      ['EC', 'P-256', 'x509-svid', '-', [x5c]],
      ['EC', 'P-256', 'jwt-svid', 'k1', '-'],
    ],
  );
  const read = parseBundle(text);
  assert.ok(read.ok);
  assert.deepEqual(read.value, { authorities: [authority], jwtKeys: [jwt], sequence: 7, refreshHintMs: 300_000 });
  assert.equal(contentDigest(read.value), contentDigest({ authorities: [authority], jwtKeys: [jwt] }));
});

test('keys for other uses and of other types are left out; what is no authority spoils the whole, with every mistake said', () => {
  const good = {
    keys: [{ ...ec, use: 'sig', kid: 'a' }, { kty: 'OKP', use: 'jwt-svid', kid: 'b' }, { ...ec, use: 'x509-svid', x5c: [x5c] }, ec],
  };
  const read = parseBundle(JSON.stringify(good));
  assert.deepEqual(read.ok && [read.value.authorities.length, read.value.jwtKeys.length, read.value.sequence], [1, 0, undefined]);
  const leaf = mesh.svid('east', 'shop', 'orders').chainDer[0]?.toString('base64');
  const cases: [unknown, RegExp][] = [
    ['{', /not JSON/],
    ['null', /JWK Set/],
    [{}, /keys: must be a list/],
    [{ keys: [1] }, /keys\[0\]: must be a JWK/],
    [{ keys: [{ ...ec, use: 'x509-svid' }] }, /exactly one certificate/],
    [{ keys: [{ ...ec, use: 'x509-svid', x5c: [x5c, x5c] }] }, /exactly one certificate/],
    [{ keys: [{ ...ec, use: 'x509-svid', x5c: ['AAAA'] }] }, /not an X\.509/],
    [{ keys: [{ ...ec, use: 'x509-svid', x5c: [leaf] }] }, /not a certificate of an authority/],
    [{ keys: [{ use: 'x509-svid', x5c: [x5c] }] }, /kty must be set/],
    [{ keys: [{ ...ec, use: 'jwt-svid' }] }, /kid must be set/],
    [{ keys: [{ ...ec, use: 'jwt-svid', kid: 'k' }] }, /is no EC key/],
    [{ keys: [], spiffe_sequence: -1 }, /spiffe_sequence: must be a whole/],
    [{ keys: [], spiffe_refresh_hint: 1.5 }, /spiffe_refresh_hint: must be/],
    [{ keys: new Array(300).fill(ec) }, /at most 256/],
    [' '.repeat(600_000), /larger than/],
  ];
  for (const [document, message] of cases) assert.match(faults(document).join('\n'), message);
  assert.equal(faults({ keys: [{ ...ec, use: 'x509-svid' }, 3], spiffe_sequence: 'x' }).length, 3);
});

test('no text makes the parser throw', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => typeof parseBundle(text).ok === 'boolean'));
  const valid = formatBundle({ authorities: [authority], jwtKeys: [jwt], sequence: 7 });
  fc.assert(
    fc.property(fc.nat(valid.length - 1), fc.string({ maxLength: 3 }), (at, put) => {
      parseBundle(valid.slice(0, at) + put + valid.slice(at + put.length));
    }),
  );
});

test('a bundle of another trust domain, or an older one, is refused', async () => {
  const partner = await ForeignDomain.create('partner.example');
  const document = (sequence?: number) =>
    formatBundle({ authorities: partner.bundle.roots, jwtKeys: [], ...(sequence === undefined ? {} : { sequence }) });
  const kept = (text: string) => ({ document: text, confirmedAt: 0, etag: '', seed: '' });
  const of = (text: string) => {
    const made = foreignBundle('partner.example', kept(text));
    assert.ok(typeof made !== 'string');
    return made.bundle;
  };
  assert.equal(foreignBundle('other.example', kept(document(1))), 'is of trust domain partner.example');
  assert.match(String(successionFault(of(document(5)), of(document(4)))), /sequence 4, where 5/);
  assert.match(String(successionFault(of(document(5)), of(document()))), /no sequence/);
  for (const [known, next] of [
    [5, 5],
    [5, 6],
    [undefined, 1],
    [undefined, undefined],
  ] as const) {
    assert.equal(successionFault(of(document(known)), of(document(next))), undefined);
  }
});

test('what a bundle hints is kept within bounds, and failures are followed ever more slowly', () => {
  assert.deepEqual(
    [1, 60_000, undefined, 86_400_000].map((hint) => refreshAfterMs(hint === undefined ? {} : { refreshHintMs: hint }, 0.5)),
    [30_000, 60_000, 300_000, 3_600_000],
  );
  assert.deepEqual(
    [1, 2, 3, 20].map((failures) => retryAfterMs(failures, 0.5)),
    [2_000, 4_000, 8_000, 300_000],
  );
  fc.assert(
    fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), (random) => Math.abs(refreshAfterMs({}, random) - 300_000) <= 30_000),
  );
});
