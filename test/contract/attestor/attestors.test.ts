import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ledger } from '../../../control/ca/index.ts';
import { generateKey } from '../../../core/pki/index.ts';
import { attestorScenes, requestOf } from '../../support/attest/attestor-scene.ts';
import { seededRandom } from '../../support/seeded-random.ts';

for (const [name, open] of Object.entries(attestorScenes)) {
  test(`${name}: a proof that holds gives its key what the rules say, and the same again, durably`, async (t) => {
    const { attestor, proof, store, clock } = await open(t);
    const key = generateKey();
    const bytes = await proof(key, 'vm-1');
    const first = await attestor.attest(requestOf(bytes, key), clock.now());
    assert.ok(first.ok, first.ok ? '' : first.reason);
    const { claims, instance, attestor: by } = first.grant;
    assert.deepEqual(
      [claims.namespace, claims.serviceAccount, claims.role, instance, by],
      ['shop', 'orders', 'workload', 'vm-1', attestor.name],
    );
    assert.deepEqual(claims.services, [{ namespace: 'shop', name: 'orders', ports: [8080] }]);
    const again = await attestor.attest(requestOf(bytes, key), clock.now());
    assert.equal(again.ok && again.grant.id, first.grant.id);
    assert.deepEqual((await new Ledger(store).grant(first.grant.id))?.value, first.grant);
  });

  test(`${name}: with another key, or as another instance, a proof that was used is refused, and nothing is recorded`, async (t) => {
    const { attestor, proof, store, clock } = await open(t);
    const key = generateKey();
    const bytes = await proof(key, 'vm-1');
    assert.ok((await attestor.attest(requestOf(bytes, key), clock.now())).ok);
    const { revision } = await store.list('');
    for (const request of [requestOf(bytes), requestOf(bytes, key, { instance: 'vm-2' })]) {
      const verdict = await attestor.attest(request, clock.now());
      assert.equal(verdict.ok, false);
    }
    assert.equal((await store.list('')).revision, revision);
  });

  test(`${name}: of many keys that come with one proof at once, one gets a grant at most`, async (t) => {
    const { attestor, proof, clock } = await open(t);
    const keys = Array.from({ length: 6 }, () => generateKey());
    const [first = generateKey()] = keys;
    const bytes = await proof(first, 'vm-1');
    const verdicts = await Promise.all(keys.map((key) => attestor.attest(requestOf(bytes, key), clock.now())));
    assert.equal(verdicts.filter((verdict) => verdict.ok).length, 1);
  });

  test(`${name}: a stranger's proof, another name and what is no proof are refused before anything is used up, with a reason and without the proof`, async (t) => {
    const { attestor, proof, strange, store, clock } = await open(t);
    const key = generateKey();
    const bytes = await proof(key, 'vm-1');
    const { revision } = await store.list('ca/');
    const asked = { requestedUris: ['spiffe://mesh.test/ns/shop/sa/payments'] };
    const refused = [
      requestOf(await strange(key, 'vm-1'), key),
      requestOf(bytes, key, asked),
      requestOf(bytes, key, { requestedDns: ['west.cluster.mesh.test'] }),
      requestOf(Buffer.alloc(0), key),
      requestOf(Buffer.from('no proof of anything'), key),
      requestOf(Buffer.alloc(200_000, 'a'), key),
    ];
    for (const request of refused) {
      const verdict = await attestor.attest(request, clock.now());
      assert.ok(!verdict.ok);
      assert.match(verdict.kind, /unproven|forbidden/);
      assert.ok(verdict.reason.length > 0 && verdict.reason.length < 1_000);
      for (const part of secretsIn(request.proof)) assert.ok(!verdict.reason.includes(part), verdict.reason);
    }
    const grants = (await store.list('ca/grants/')).entries;
    assert.deepEqual(grants, []);
    assert.ok((await store.list('ca/')).revision >= revision);
    assert.ok((await attestor.attest(requestOf(bytes, key), clock.now())).ok, 'it is as good as before');
  });

  test(`${name}: whatever is done to the bytes of a proof, it never throws, and gives nobody else anything`, async (t) => {
    const { attestor, proof, clock } = await open(t);
    const random = seededRandom(7);
    const key = generateKey();
    const bytes = Buffer.from(await proof(key, 'vm-1'));
    const good = await attestor.attest(requestOf(bytes, key), clock.now());
    assert.ok(good.ok);
    for (let round = 0; round < 40; round++) {
      const at = Math.floor(random() * bytes.length);
      const changed = round % 3 === 0 ? bytes.subarray(0, at) : Buffer.from(bytes);
      if (round % 3 !== 0) changed[at] = (changed[at] ?? 0) ^ (1 << Math.floor(random() * 8));
      const verdict = await attestor.attest(requestOf(changed, key), clock.now());
      // Some bits say nothing: white space, what is left over of the last base64 digit.
      if (verdict.ok) assert.equal(verdict.grant.id, good.grant.id);
      assert.equal((await attestor.attest(requestOf(changed), clock.now())).ok, false);
    }
  });

  test(`${name}: a grant that was revoked is not given again`, async (t) => {
    const { attestor, proof, store, clock } = await open(t);
    const key = generateKey();
    const bytes = await proof(key, 'vm-1');
    const verdict = await attestor.attest(requestOf(bytes, key), clock.now());
    assert.ok(verdict.ok);
    await new Ledger(store).revokeGrant(verdict.grant.id, clock.now());
    const after = await attestor.attest(requestOf(bytes, key), clock.now());
    assert.equal(!after.ok && after.why, 'revoked');
  });
}

/** Stretches of a proof that nobody may read in a log. */
function secretsIn(proof: Uint8Array): string[] {
  const text = Buffer.from(proof).toString('latin1');
  return text.length < 60 ? [] : [text.slice(0, 40), text.slice(-40), text.slice(text.length >> 1, (text.length >> 1) + 40)];
}
