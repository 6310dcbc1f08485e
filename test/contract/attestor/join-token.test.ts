import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  type AttestationRequest,
  createToken,
  JoinTokenAttestor,
  Ledger,
  listTokens,
  revokeToken,
  type TokenRequest,
  voidOutstandingTokens,
} from '../../../control/ca/index.ts';
import { openEmbeddedStore } from '../../../control/store/index.ts';
import { formatJoinToken, parseJoinToken } from '../../../core/identity/index.ts';
import { generateKey, spkiOf } from '../../../core/pki/index.ts';
import type { Store } from '../../../core/store.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { MeshPki } from '../../support/mesh-pki.ts';

const hour = 3_600_000;
const day = 24 * hour;
const start = Date.UTC(2026, 10, 21);
const root = new MeshPki().root.certificate.der;
const claims = { role: 'workload' as const, namespace: 'shop', serviceAccount: 'orders', services: [], addresses: [] };

async function setUp(t: TestContext) {
  const store: Store = await openEmbeddedStore({ dir: join(await temporaryDir(t), 'store'), clock: systemClock });
  t.after(() => store.close());
  const attestor = new JoinTokenAttestor(store, 'east', 'mesh.test');
  const ledger = new Ledger(store);
  const token = async (more: Partial<TokenRequest> = {}) => {
    const made = await createToken(store, { claims, ...more }, start);
    assert.ok(made.ok);
    return {
      ...made.value,
      text: formatJoinToken({ ...made.value, trustDomain: 'mesh.test', cluster: 'east', addresses: ['127.0.0.1:15012'], root }),
    };
  };
  return { store, attestor, ledger, token };
}

function request(text: string, more: Partial<AttestationRequest> = {}): AttestationRequest {
  return {
    proof: Buffer.from(text),
    spki: spkiOf(generateKey()),
    instance: 'vm-1',
    source: '10.0.0.7',
    requestedUris: [],
    requestedDns: [],
    ...more,
  };
}

test('a single-use token is for the first key, which may come again until it expires', async (t) => {
  const { attestor, token } = await setUp(t);
  const { text } = await token({ ttlMs: hour, rejoinMs: 0 });
  const first = request(text);
  const verdict = await attestor.attest(first, start);
  assert.ok(verdict.ok);
  const again = await attestor.attest(first, start + hour - 1);
  assert.equal(again.ok && again.grant.id, verdict.grant.id);
  assert.equal((await attestor.attest(request(text), start)).ok, false);
  assert.equal((await attestor.attest({ ...first, instance: 'vm-2' }, start)).ok, false);
  assert.equal((await attestor.attest(first, start + hour)).ok, false);
});

test('many keys at once: never more than the uses there are', async (t) => {
  const { attestor, token, store } = await setUp(t);
  const { text } = await token({ maxUses: 3 });
  const requests = Array.from({ length: 6 }, (_, index) => request(text, { instance: `vm-${index}` }));
  const verdicts = await Promise.all(requests.map((each) => attestor.attest(each, start)));
  assert.equal(verdicts.filter((verdict) => verdict.ok).length, 3);
  assert.equal(new Set(verdicts.flatMap((verdict) => (verdict.ok ? [verdict.grant.id] : []))).size, 3);
  assert.equal((await listTokens(store))[0]?.uses, 3);
});

test('a machine that was off comes back until a while after its last SVID ended', async (t) => {
  const { attestor, token, ledger } = await setUp(t);
  const { text } = await token({ ttlMs: hour, rejoinMs: 7 * day });
  const machine = request(text);
  const verdict = await attestor.attest(machine, start);
  assert.ok(verdict.ok);
  const ended = start + 100 * day;
  await ledger.recordIssued(verdict.grant.id, 'aa', ended);
  assert.equal((await attestor.attest(machine, ended + 6 * day)).ok, true);
  assert.equal((await attestor.attest(machine, ended + 8 * day)).ok, false);
  assert.equal((await attestor.attest(request(text), start + 2 * hour)).ok, false, 'another key never after the expiry');
});

test('the secret is stored nowhere, and every refusal happens before anything is used up', async (t) => {
  const { attestor, token, store } = await setUp(t);
  const { text, secret } = await token({ sources: ['10.0.0.0/8', 'fd00::/8'] });
  const { entries } = await store.list('ca/');
  assert.equal(
    entries.some((entry) => Buffer.from(entry.value).includes(secret)),
    false,
  );
  const parsed = parseJoinToken(text);
  assert.ok(parsed.ok);
  const wrong = formatJoinToken({ ...parsed.value, secret: 'B'.repeat(43) });
  const refusals: [AttestationRequest, string][] = [
    [request(wrong), 'unproven'],
    [request('not a token'), 'unproven'],
    [request(text, { source: '192.0.2.1' }), 'forbidden'],
    [request(text, { source: '' }), 'forbidden'],
    [request(text, { requestedUris: ['spiffe://mesh.test/ns/shop/sa/payments'] }), 'forbidden'],
    [request(text, { requestedDns: ['west.cluster.mesh.test'] }), 'forbidden'],
  ];
  for (const [each, kind] of refusals) {
    const verdict = await attestor.attest(each, start);
    assert.equal(verdict.ok ? 'granted' : verdict.kind, kind);
    assert.equal(!verdict.ok && verdict.reason.includes(secret), false);
  }
  assert.equal((await listTokens(store))[0]?.uses, 0);
  assert.equal((await attestor.attest(request(text, { source: '::ffff:10.1.2.3' }), start)).ok, true);
});

test('revoking ends a token, its grants and the SVIDs on them; a restore voids all', async (t) => {
  const { attestor, token, ledger, store } = await setUp(t);
  const { text, id } = await token();
  const machine = request(text);
  const verdict = await attestor.attest(machine, start);
  assert.ok(verdict.ok);
  await ledger.recordIssued(verdict.grant.id, 'aa', start + hour);
  await ledger.recordIssued(verdict.grant.id, 'bb', start - hour);
  assert.deepEqual(await revokeToken(store, ledger, id, start), [verdict.grant.id]);
  assert.equal((await attestor.attest(machine, start)).ok, false);
  assert.equal(await ledger.grantOfSerial('aa'), undefined);
  assert.deepEqual((await ledger.denied()).serials, ['aa']);
  await assert.rejects(ledger.recordIssued(verdict.grant.id, 'cc', start + hour), /revoked/);
  assert.equal(await revokeToken(store, ledger, 'nothing', start), undefined);
  const kept = await token();
  const other = request(kept.text);
  assert.equal((await attestor.attest(other, start)).ok, true);
  const last = await attestor.attest(other, start);
  await ledger.recordIssued(last.ok ? last.grant.id : '', 'dd', start + hour);
  await token();
  assert.equal(await voidOutstandingTokens(store, start), 2);
  assert.equal((await attestor.attest(other, start + hour)).ok, true, 'a key that was bound goes on');
  assert.equal((await attestor.attest(request(kept.text), start)).ok, false);
  await ledger.sweep(start + 3 * day);
  assert.deepEqual((await store.list('ca/issued/')).entries, []);
});

test('a request with ten mistakes is told all of them', async (t) => {
  const { store } = await setUp(t);
  const made = await createToken(
    store,
    {
      claims: {
        ...claims,
        namespace: 'Shop',
        serviceAccount: '',
        services: [{ namespace: '', name: 'a b', ports: [0] }],
        addresses: ['10.0.0.0/40'],
      },
      sources: ['everywhere'],
      ttlMs: 0,
      rejoinMs: -1,
      maxUses: 0.5,
    },
    start,
  );
  assert.equal(made.ok, false);
  assert.equal(made.ok ? 0 : made.violations.length, 10);
});
