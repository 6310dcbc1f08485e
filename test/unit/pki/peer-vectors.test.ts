import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { readInput, writeGolden } from '../../support/golden.ts';
import { makePeerVectors } from '../../support/make-peer-vectors.ts';
import { bundleFromJson, judge, mutate, type PeerVectors } from '../../support/peer-vectors.ts';

const path = 'test/vectors/peer-verification.json';
let vectors: PeerVectors;

before(async () => {
  // Keys and signatures are new each time, so the file is only made when somebody asks for it.
  if (process.env['UPDATE_GOLDEN'] === '1') await writeGolden(path, await makePeerVectors());
  vectors = await readInput<PeerVectors>(path);
});

test('the shared vectors of peers are what core/pki says', () => {
  for (const { name, bundle, chain, expectation, verdict, now = vectors.now } of vectors.cases) {
    const json = vectors.bundles[bundle];
    assert.ok(json, bundle);
    assert.deepEqual(judge(chain, bundleFromJson(json), now, expectation), verdict, name);
  }
});

test('so are those with a byte changed', () => {
  for (const mutations of vectors.mutations) {
    const vector = vectors.cases.find((each) => each.name === mutations.of);
    const json = vectors.bundles[vector?.bundle ?? ''];
    assert.ok(vector && json, mutations.of);
    assert.deepEqual(mutate(vector, bundleFromJson(json), vectors.now, mutations.certificate, mutations.xor), mutations);
  }
});

test('what is made anew is refused and taken as the vectors are, and for every reason that there is', async () => {
  const made = await makePeerVectors();
  const plain = ({ cases }: PeerVectors) => cases.map(({ name, verdict }) => [name, verdict.ok || wordsOf(verdict.reason)]);
  assert.deepEqual(plain(made), plain(vectors));
  const reasons = vectors.cases.flatMap(({ verdict }) => (verdict.ok ? [] : [verdict.reason]));
  const missing = everyReason.filter((reason) => !reasons.some((each) => reason.test(each)));
  assert.deepEqual(missing, []);
  const unnamed = reasons.filter((each) => !everyReason.some((reason) => reason.test(each)));
  assert.deepEqual(unnamed, []);
});

/** Serial numbers are new each time. */
const wordsOf = (reason: string) => reason.replace(/^serial [0-9a-f]+/, 'serial');

/** As verify.ts, verify-foreign.ts, path.ts and foreign-constraints.ts give them. */
const everyReason = [
  /^no certificate$/,
  /^chain of more than 4 certificates$/,
  /^not an X\.509 certificate: /,
  /^the leaf has not exactly one URI SAN$/,
  /^the leaf has not exactly one DNS SAN, so no cluster vouches for it$/,
  /^the leaf has SANs that are neither URI nor DNS$/,
  /^the URI SAN is not spiffe:/,
  /^the URI SAN is no SPIFFE id of a workload$/,
  /^is of trust domain \S+, not /,
  /^is of trust domain \S+, which is neither /,
  /^the DNS SAN is not CLUSTER\.cluster\./,
  /^the leaf has an unknown critical extension /,
  /^a signing certificate is no identity$/,
  /^the leaf is not for digital signatures$/,
  /^the leaf is not for both client and server authentication$/,
  /^not valid before 2\d{3}-\d\d-\d\dT[\d:]+\.000Z$/,
  /^expired at 2\d{3}-\d\d-\d\dT[\d:]+\.000Z$/,
  /^serial [0-9a-f]+ is denied$/,
  /^is \S+\.cluster\.mesh\.test, expected \S+\.cluster\.mesh\.test$/,
  /^is spiffe:\S+, expected spiffe:\S+( or \S+)?$/,
  /^is spiffe:\S+, expected nobody$/,
  /^is spiffe:\S+, which is of no cluster of this mesh, expected /,
  /^no issuer of the leaf is known$/,
  /^its issuer does not chain to a root of the bundle$/,
  /^its issuer is not a signing certificate$/,
  /^its issuer has no path length of 0$/,
  /^its issuer has an unknown critical extension /,
  /^its issuer is not constrained to a cluster$/,
  /^its issuer is not constrained to one cluster$/,
  /^its issuer has name constraints of another form$/,
  /^its issuer speaks for \S+, not for /,
  /^no authority of \S+ issued it$/,
  /^its chain leads too many ways$/,
  /^an issuer is not a signing certificate$/,
  /^an issuer has an unknown critical extension /,
  /^an issuer has a path length of 0$/,
  /^an issuer is spiffe:\S+, not of /,
  /^an issuer has name constraints of another form than DNS$/,
  /^an issuer is not permitted the name /,
  /^an issuer is refused the name /,
];
