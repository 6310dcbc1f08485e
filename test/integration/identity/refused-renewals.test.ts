import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { type Attestor, loadRoot } from '../../../control/ca/index.ts';
import { createCsr, generateKey, issueIntermediate, issueLeafWithNames, spkiOf } from '../../../core/pki/index.ts';
import { attestorFor, audience, oidcSpec, rule } from '../../support/attest/attestor-scene.ts';
import { type RefusalCase, RefusalTable } from '../../support/attest/refusal-table.ts';
import { startTokenIssuer } from '../../support/attest/token-issuer.ts';
import { MeshPki } from '../../support/mesh-pki.ts';

const { UNAUTHENTICATED, PERMISSION_DENIED, INVALID_ARGUMENT, UNAVAILABLE } = status;
const hour = 3_600_000;

test('renewals with SVIDs that are foreign, forgotten, ended or denied, or for another identity, are refused', async (t) => {
  const table = await RefusalTable.open(t);
  const { plane } = table;
  const joined = async (instance: string) => {
    const key = generateKey();
    const { chain } = await table.attest({ attestor: 'join-token', proof: await plane.token(), key, instance });
    return { client: table.withChain(chain, key), chain, key };
  };
  const own = await joined('vm-1');
  await table.renew(own.client);
  const root = await loadRoot(join(table.dir, 'root'), 'mesh.test');
  const foreign = (cluster: string, dns: readonly string[], uri = 'spiffe://mesh.test/ns/shop/sa/orders', lifetime = hour) => {
    const [caKey, key] = [generateKey(), generateKey()];
    const certificate = issueIntermediate(root, spkiOf(caKey), cluster, 'mesh.test', Date.now(), hour);
    const leaf = issueLeafWithNames({ key: caKey, certificate }, spkiOf(key), { uris: [uri], dns }, Date.now(), lifetime);
    return table.withChain([leaf.der, certificate.der], key);
  };
  const strangers = new MeshPki('other.test').svid('east', 'shop', 'orders');
  const namesakes = new MeshPki().svid('east', 'shop', 'orders');
  const forgotten = await joined('vm-2');
  await table.renew(forgotten.client);
  const denied = await joined('vm-3');
  for (const { key } of (await plane.store.list('ca/issued/')).entries) {
    const grant = await plane.ledger.grantOfSerial(key.slice('ca/issued/'.length));
    if (grant?.instance === 'vm-2') await plane.store.txn({ if: [], then: [{ op: 'delete', key }] });
    if (grant?.instance === 'vm-3') await plane.authority.setDenied([key.slice('ca/issued/'.length)]);
  }
  const row = (
    name: string,
    code: status,
    reason: RefusalCase['reason'],
    send: () => Promise<unknown>,
    what: 'renewal' | 'connection' = 'renewal',
  ): RefusalCase => ({ name, code, what, reason, send });
  const cut = (name: string, client: typeof own.client) =>
    row(name, UNAVAILABLE, 'bad-certificate', () => table.renew(client), 'connection');
  const asks = (names: { uris?: string[]; dns?: string[] }) => () => table.renew(own.client, createCsr(generateKey(), names));
  await table.check([
    row('without a certificate', UNAUTHENTICATED, 'no-certificate', () => table.renew()),
    row('a request cut short', INVALID_ARGUMENT, 'bad-csr', () => table.renew(own.client, createCsr(generateKey()).subarray(0, 90))),
    row('for another service account', PERMISSION_DENIED, 'wrong-name', asks({ uris: ['spiffe://mesh.test/ns/shop/sa/payments'] })),
    row('for another cluster', PERMISSION_DENIED, 'wrong-name', asks({ dns: ['west.cluster.mesh.test'] })),
    row('for a name of 3,000 characters', PERMISSION_DENIED, 'wrong-name', asks({ uris: [`spiffe://mesh.test/${'a'.repeat(3_000)}`] })),
    row('of a grant that the ledger does not know', UNAUTHENTICATED, 'not-issued-here', () => table.renew(forgotten.client)),
    row("with a peer's SVID", UNAUTHENTICATED, 'not-issued-here', () => table.renew(foreign('west', ['west.cluster.mesh.test']))),
    row('that was denied', PERMISSION_DENIED, 'revoked', () => table.renew(table.withChain(denied.chain, denied.key)), 'connection'),
    // From here on whoever was cut dials again by itself, and is cut again for the same reason.
    cut("with another cluster's name", foreign('west', ['east.cluster.mesh.test'])),
    cut('of no cluster', foreign('west', [])),
    cut('of two clusters', foreign('west', ['west.cluster.mesh.test', 'west.cluster.mesh.test'])),
    cut('with an id that is none of ours', foreign('west', ['west.cluster.mesh.test'], 'spiffe://mesh.test/host/vm-1')),
    cut(
      'with an id of 3,000 characters',
      foreign('west', ['west.cluster.mesh.test'], `spiffe://mesh.test/ns/shop/sa/${'a'.repeat(3_000)}`),
    ),
    cut('with an id of another trust domain', foreign('west', ['west.cluster.mesh.test'], 'spiffe://other.test/ns/shop/sa/orders')),
    cut('with an SVID that has ended', foreign('west', ['west.cluster.mesh.test'], undefined, -1_000)),
    cut('of another trust domain', table.withChain(strangers.chainDer, strangers.key)),
    cut('of another root of the same name', table.withChain(namesakes.chainDer, namesakes.key)),
  ]);
});

test('who came by a policy renews for as long as its rules would still let it in, and is what they make of it', async (t) => {
  const issuer = await startTokenIssuer(t, { now: Date.now, audience });
  const live: Attestor[] = [];
  let parts: Parameters<typeof attestorFor>[0] | undefined;
  const table = await RefusalTable.open(t, (given) => {
    parts = given;
    return { [Symbol.iterator]: () => live[Symbol.iterator]() };
  });
  const use = (...rules: ReturnType<typeof rule>[]) => {
    live.length = 0;
    if (parts !== undefined && rules.length > 0)
      live.push(attestorFor(parts, 'shop/ci', { attestor: oidcSpec(issuer), sources: [], rules }));
  };
  use(rule());
  const key = generateKey();
  const { chain } = await table.attest({ attestor: 'shop/ci', proof: await issuer.token(), key });
  const client = table.withChain(chain, key);
  await table.renew(client);
  use(rule({ services: [{ name: 'orders', ports: [9090] }] }));
  await table.renew(client);
  const grants = (await table.plane.store.list('ca/grants/')).entries.map(
    (entry) => JSON.parse(Buffer.from(entry.value).toString()) as { claims: unknown },
  );
  assert.match(JSON.stringify(grants.map((grant) => grant.claims)), /9090/);
  const renewal = (name: string, code: status, reason: RefusalCase['reason'], ...rules: ReturnType<typeof rule>[]): RefusalCase => ({
    name,
    code,
    what: 'renewal',
    reason,
    send: async () => {
      use(...rules);
      return table.renew(client);
    },
  });
  await table.check([
    renewal('no rule lets it in any more', PERMISSION_DENIED, 'no-rule', rule({}, 'claims.sub == "somebody else"')),
    renewal('the rules make another of it', PERMISSION_DENIED, 'wrong-name', rule({ serviceAccount: 'payments' })),
    renewal('the policy is gone', UNAUTHENTICATED, 'unknown-attestor'),
  ]);
  use(rule());
  await table.renew(client);
});
