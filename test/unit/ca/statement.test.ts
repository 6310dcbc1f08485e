import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { admitStatement, makeStatement, readStatement, type Statement, signStatement } from '../../../control/ca/rotation/statement.ts';
import { type StoredTrust, TrustedRoots } from '../../../control/ca/rotation/trusted-roots.ts';
import { fingerprintOf, generateKey, type Issuer, issueIntermediate, issueRoot, spkiOf } from '../../../core/pki/index.ts';
import { peering } from '../../../core/xds/index.ts';

const day = 86_400_000;
const now = Date.UTC(2026, 10, 22);
const trustDomain = 'mesh.test';

function root(key = generateKey(), domain = trustDomain, at = now): Issuer {
  return { key, certificate: issueRoot(key, domain, at, 30 * day) };
}

const [old, next, other] = [root(), root(), root()];

function statement(more: Partial<Omit<Statement, 'signed' | 'signer'>> = {}, by: Issuer = old): Statement {
  const content = { trustDomain, version: 1, rotation: 'r1', phase: 'distribute' as const, roots: [old.certificate, next.certificate] };
  return makeStatement({ ...content, signing: fingerprintOf(old.certificate), force: false, without: [], madeAt: now, ...more }, by);
}

const soFar = (version = 0, ...roots: Issuer[]) => ({
  trustDomain,
  version,
  roots: (roots.length === 0 ? [old] : roots).map((r) => r.certificate),
});

test('a root is believed on the word of one that counts, and of nobody else', () => {
  assert.equal(admitStatement(statement(), soFar(), now), undefined);
  const forged: readonly [string, Statement, RegExp, ReturnType<typeof soFar>?][] = [
    ['by the new root itself', statement({}, next), /no root that counts/],
    ['by a stranger', statement({}, other), /no root that counts/],
    [
      'a stranger in the name of the old root',
      { ...statement({}, other), signer: fingerprintOf(old.certificate) },
      /signature does not hold/,
    ],
    ['of another trust domain', statement({ trustDomain: 'evil.test' }), /trust domain evil\.test/],
    ['said before', statement({ version: 3 }), /version 3, and 3 is in force/, soFar(3)],
    ['older than what is in force', statement({ version: 1 }), /version 1, and 4/, soFar(4)],
    [
      'a whole new set',
      statement({ roots: [next.certificate, other.certificate], signing: fingerprintOf(next.certificate) }),
      /keeps no root/,
    ],
    ['the new root alone', statement({ roots: [next.certificate], signing: fingerprintOf(next.certificate) }), /keeps no root/],
    [
      'a root that is not in its time',
      statement({ roots: [old.certificate, root(generateKey(), trustDomain, now + 10 * day).certificate] }),
      /not in its time/,
    ],
    ['the old key again', statement({ roots: [old.certificate, root(old.key, trustDomain, now - day).certificate] }), /needs a new key/],
  ];
  for (const [name, made, reason, known = soFar()] of forged) assert.match(admitStatement(made, known, now) ?? 'believed', reason, name);
});

test('any byte of a statement that is changed ends its signature or its form', () => {
  const { signed } = statement();
  for (const part of ['payload', 'signature'] as const) {
    for (let at = 0; at < signed[part].length; at += 7) {
      const bytes = Buffer.from(signed[part]);
      bytes[at] = (bytes[at] ?? 0) ^ 0x41;
      const read = readStatement({ ...signed, [part]: bytes });
      assert.equal(read.ok && admitStatement(read.value, soFar(), now) === undefined, false, `${part}[${at}]`);
    }
  }
});

test('what is no statement is refused by its form', () => {
  const sign = (payload: Partial<peering.TrustPayload>) => {
    const whole = { format: 1, trustDomain, version: 1, phase: 'sign', roots: [old.certificate.der, next.certificate.der] };
    const signing = Buffer.from(fingerprintOf(old.certificate), 'hex');
    return signStatement(peering.TrustPayload.encode(peering.TrustPayload.fromPartial({ ...whole, signing, ...payload })).finish(), old);
  };
  const intermediate = issueIntermediate(old, spkiOf(generateKey()), 'east', trustDomain, now, day);
  const constrained = { certificate: intermediate, key: old.key };
  const wrong: Record<string, peering.TrustStatement> = {
    'another format': sign({ format: 2 }),
    'no version': sign({ version: 0 }),
    'a phase of the future': sign({ phase: 'merge' }),
    'no root': sign({ roots: [] }),
    'three roots': sign({ roots: [old, next, other].map((r) => r.certificate.der) }),
    'a signing root that does not count': sign({ signing: Buffer.from(fingerprintOf(other.certificate), 'hex') }),
    'an intermediate as root': sign({ roots: [old.certificate.der, constrained.certificate.der] }),
    'bytes that are no certificate': sign({ roots: [old.certificate.der, Buffer.from('root')] }),
    'too many names': sign({ without: Array.from({ length: 300 }, (_, i) => `vm-${i}`) }),
    'too long': { payload: Buffer.alloc(40_000), signer: Buffer.alloc(32), signature: Buffer.alloc(64) },
    'no message': { payload: Buffer.of(0xff, 0xff), signer: Buffer.alloc(0), signature: Buffer.alloc(0) },
  };
  assert.equal(readStatement(sign({})).ok, true);
  for (const [name, each] of Object.entries(wrong)) assert.equal(readStatement(each).ok, false, name);
});

test('roots of RSA, P-384 and P-521 sign statements and intermediates as those of P-256 do', () => {
  const keys = [
    generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
    generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
    generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey,
  ];
  for (const key of keys) {
    const external = root(key);
    const roots = [external.certificate, next.certificate];
    const made = statement({ roots, signing: fingerprintOf(external.certificate) }, external);
    assert.equal(admitStatement(made, soFar(0, external), now), undefined);
  }
});

test('statements are durable before they count, and a root stays until it may go', async () => {
  const saved: StoredTrust[] = [];
  const file = {
    saveTrust: async (trust: StoredTrust) => {
      saved.push(trust);
    },
  };
  const begin = { statements: [], roots: [old.certificate.der.toString('base64')] };
  const trust = new TrustedRoots(trustDomain, file, begin);
  const signingNext = { signing: fingerprintOf(next.certificate) };
  const chain = [
    statement(),
    statement({ version: 2, phase: 'sign', ...signingNext }),
    statement({ version: 3, phase: 'retire', roots: [next.certificate], ...signingNext }, next),
  ].map((each) => each.signed);
  // All at once, as whoever was away hears it.
  const { faults } = await trust.admit(chain, now);
  assert.deepEqual(faults, []);
  assert.equal(trust.roots.length, 2, 'the old root is still in use');
  assert.deepEqual([trust.version, trust.latest?.version], [2, 3]);
  const again = new TrustedRoots(trustDomain, file, saved.at(-1) ?? begin);
  assert.deepEqual([again.version, again.roots.length], [2, 2]);
  assert.equal(await again.drop([fingerprintOf(next.certificate)]), false, 'what counts is never dropped');
  assert.equal(await again.drop([fingerprintOf(old.certificate)]), true);
  assert.deepEqual([again.version, again.roots.length], [3, 1]);
  assert.equal((await again.admit(chain, now)).changed, false);
  const failing = new TrustedRoots(trustDomain, { saveTrust: () => Promise.reject(new Error('disk full')) }, begin);
  await assert.rejects(failing.admit(chain, now), /disk full/);
  assert.deepEqual([failing.version, failing.roots.length], [0, 1], 'what could not be stored does not count');
});
