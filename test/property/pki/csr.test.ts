import assert from 'node:assert/strict';
import { createPublicKey, ECDH, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { readBits, readDer, sequence } from '../../../core/pki/der-read.ts';
import { bits, context, contextBytes, octets, oidNode, seq, set, unsigned } from '../../../core/pki/der-write.ts';
import { createCsr, generateKey, parseCsr, spkiOf } from '../../../core/pki/index.ts';
import { p256FromSpki, pointAsJwk, pointAsPem } from '../../../core/pki/keys.ts';
import { oid } from '../../../core/pki/oids.ts';

const uri = 'spiffe://mesh.test/ns/shop/sa/orders';
const own = createCsr(generateKey(), { uris: [uri], dns: ['east.cluster.mesh.test'] });
const spkiOfKey = spkiOf(generateKey());
const pointAt = spkiOfKey.length - 65;

/** What OpenSSL makes of a SubjectPublicKeyInfo, in its own spelling. Of some keys Node 20 may not be asked more. */
function byOpenSsl(spki: Uint8Array): string | undefined {
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
      .export({ type: 'spki', format: 'der' })
      .toString('hex');
  } catch {
    return undefined;
  }
}

const byUs = (spki: Buffer) => p256FromSpki(spki)?.export({ type: 'spki', format: 'der' }).toString('hex');

function overwritten(bytes: Buffer, at: number, by: readonly number[]): Buffer {
  const out = Buffer.from(bytes);
  by.forEach((byte, i) => {
    if (at + i < out.length) out[at + i] = byte;
  });
  return out;
}

test('a key is taken where OpenSSL takes those bytes, and would write the same', () => {
  let taken = 0;
  fc.assert(
    fc.property(fc.nat(spkiOfKey.length - 1), fc.array(fc.nat(255), { minLength: 1, maxLength: 3 }), (at, by) => {
      const changed = overwritten(spkiOfKey, at, by);
      const ours = byUs(changed);
      if (at >= pointAt) assert.equal(ours, changed[pointAt] === 0x04 ? byOpenSsl(changed) : undefined);
      if (ours === undefined) return;
      taken += 1;
      assert.equal(ours, changed.toString('hex'));
    }),
    { numRuns: 2_000, examples: [[0, [0x30]]] },
  );
  assert.ok(taken > 0);
});

test('a point is read the same from PEM and from a JWK, on the curve or off it', () => {
  const read = (reader: (spki: Buffer) => KeyObject, spki: Buffer) => {
    try {
      return reader(spki).export({ type: 'spki', format: 'der' }).toString('hex');
    } catch {
      return undefined;
    }
  };
  const field = Buffer.from('ffffffff00000001000000000000000000000000ffffffffffffffffffffffff', 'hex');
  const coordinate = fc.oneof(
    fc.uint8Array({ minLength: 32, maxLength: 32 }),
    fc.constantFrom(field, Buffer.alloc(32), Buffer.alloc(32, 0xff)),
  );
  const anyPoint = fc.tuple(coordinate, coordinate).map(([x, y]) => Buffer.concat([x, y]));
  const onCurve = fc.constant(undefined).map(() => spkiOf(generateKey()).subarray(pointAt + 1));
  fc.assert(
    fc.property(fc.oneof(anyPoint, onCurve), (point) => {
      const spki = Buffer.concat([spkiOfKey.subarray(0, pointAt + 1), point]);
      const asPem = read(pointAsPem, spki);
      assert.equal(read(pointAsJwk, spki), asPem);
      assert.equal(byUs(spki), asPem);
      assert.equal(byOpenSsl(spki), asPem);
    }),
    { numRuns: 300 },
  );
});

const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ type: 'spki', format: 'der' });
const compressed = (spki: Buffer) => {
  const point = ECDH.convertKey(spki.subarray(pointAt), 'prime256v1', undefined, undefined, 'compressed') as Buffer;
  return seq(seq(oidNode('1.2.840.10045.2.1'), oidNode('1.2.840.10045.3.1.7')), bits(point));
};
const refused: Readonly<Record<string, Buffer>> = {
  'a compressed point': compressed(spkiOfKey),
  'a hybrid point': overwritten(spkiOfKey, pointAt, [0x06 | ((spkiOfKey.at(-1) ?? 0) & 1)]),
  'the point at infinity': seq(seq(oidNode('1.2.840.10045.2.1'), oidNode('1.2.840.10045.3.1.7')), bits(Buffer.of(0))),
  'of the same length on another curve': overwritten(spkiOfKey, 21, [0x00, 0x0a]),
  'on P-384': Buffer.from(p384),
  'one byte too many': Buffer.concat([spkiOfKey, Buffer.of(0)]),
  'one byte too few': spkiOfKey.subarray(0, -1),
};
for (const [name, spki] of Object.entries(refused)) {
  test(`no key that is taken: ${name}`, () => {
    assert.equal(byUs(spki), undefined);
  });
}

/** A request as its parts say, correctly signed by `key` whatever they are. */
function signedRequest(key: KeyObject, spki: Uint8Array, names: readonly string[]): Buffer {
  const san = seq(...names.map((name) => contextBytes(6, Buffer.from(name, 'latin1'))));
  const asked = seq(oidNode(oid.extensionRequest), set(seq(seq(oidNode(oid.subjectAltName), octets(san)))));
  const info = seq(unsigned(Buffer.of(0)), seq(), spki, context(0, asked));
  return seq(info, seq(oidNode(oid.ecdsaSha256)), bits(sign('sha256', info, key)));
}

/** By another implementation: parsed, and its proof of possession verified. */
async function byPeculiar(der: Buffer): Promise<{ spki: string; uris: readonly string[] } | undefined> {
  try {
    const request = new x509.Pkcs10CertificateRequest(new Uint8Array(der));
    if (!(await request.verify())) return undefined;
    const san = request.getExtension(oid.subjectAltName) as x509.SubjectAlternativeNameExtension | null;
    const uris = san?.names.items.filter(({ type }) => type === 'url').map(({ value }) => value) ?? [];
    return { spki: Buffer.from(request.publicKey.rawData).toString('hex'), uris };
  } catch {
    return undefined;
  }
}

test('of requests that are well made this reads what another implementation reads', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.webUrl(), { maxLength: 3 }), async (names) => {
      const key = generateKey();
      const der = signedRequest(key, spkiOf(key), names);
      const read = parseCsr(der);
      assert.ok(read.ok);
      const theirs = await byPeculiar(der);
      assert.deepEqual({ spki: read.value.spki.toString('hex'), uris: read.value.requestedUris }, theirs);
    }),
    { numRuns: 50 },
  );
});

test('nothing is taken here that another implementation refuses', async () => {
  let taken = 0;
  const place = fc.tuple(fc.nat(own.length - 1), fc.array(fc.nat(255), { minLength: 1, maxLength: 2 }));
  await fc.assert(
    fc.asyncProperty(fc.array(place, { maxLength: 2 }), async (edits) => {
      const der = edits.reduce((bytes, [at, by]) => overwritten(bytes, at, by), own);
      const read = parseCsr(der);
      if (!read.ok) return;
      taken += 1;
      const theirs = await byPeculiar(der);
      assert.equal(theirs?.spki, read.value.spki.toString('hex'));
      const [info, , signature] = sequence(readDer(der));
      const key = createPublicKey({ key: read.value.spki, format: 'der', type: 'spki' });
      assert.ok(info !== undefined && verify('sha256', info.raw, key, readBits(signature)));
    }),
    { numRuns: 1_000 },
  );
  assert.ok(taken > 0);
});
