import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readBlocks } from '../../support/docs-blocks.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';
import { GuardedMesh } from './guarded-mesh.ts';

const page = 'docs/authorization.md';

test(`${page}: every policy and command on it, against a whole mesh`, { timeout: 120_000 }, async (t) => {
  const [onlyWeb, noWeb, nobody, readers, ...more] = await readBlocks(page, 'yaml');
  const [plain, refused, denied, ...others] = (await readBlocks(page, 'sh')).map((line) => line.trim().split(' ').slice(1));
  assert.deepEqual([more, others], [[], []], 'something of the page is not run here');
  const mesh = await GuardedMesh.start(t);
  const orders = await mesh.vm('orders', 8080, { app: 'orders' });
  const web = await mesh.vm('web', 8081);
  const till = await mesh.vm('till', 8082);
  const call = async (port: number) => (await fetch(`http://127.0.0.1:${port}/`)).status;
  const told = async (command: readonly string[] = []) => (await mesh.tryCli(...command)).out;
  const reaches = async (name: string, vm: typeof web) => until(`${name} to reach orders`, async () => (await call(vm.local)) === 200);
  /** A caller that may not call is not told where the service is: its own agent has nothing to offer. */
  const isShutOut = async (name: string, vm: typeof web) =>
    until(`${name} to be shut out`, async () => {
      const { outbound } = vm.agent.status();
      const known = outbound.some((o) => o.host === 'orders.shop.mesh.internal' && o.endpoints > 0);
      return !known && (await call(vm.local).catch(() => 0)) !== 200;
    });

  await Promise.all([reaches('web', web), reaches('till', till)]);
  assert.match(await told(plain), /allowed by "cluster east"/);

  // Whoever holds an identity may speak mTLS by himself: it is the end that refuses.
  const [asWeb, asTill] = [await mesh.identity('web'), await mesh.identity('till')];
  const inbound = orders.agent.inbound.port;
  const [fromWeb, fromTill] = [await mesh.connect(asWeb, inbound), await mesh.connect(asTill, inbound)];
  onEnd(t, () => {
    fromWeb.close();
    fromTill.close();
  });
  const statusOf = (from: typeof fromWeb) => from.status('/');
  assert.deepEqual([await statusOf(fromWeb), await statusOf(fromTill)], [200, 200]);

  await mesh.configure('only-web.yaml', onlyWeb);
  await until('till to be refused by its end', async () => (await statusOf(fromTill)) === 403);
  assert.equal(await statusOf(fromWeb), 200);
  await isShutOut('till', till);
  await reaches('web', web);
  assert.match(
    await told(refused),
    /no rule of the ALLOW policies that select it \(shop\/orders-callers\) matches mesh\.example\.org\/ns\/shop\/sa\/till of east/,
  );

  await mesh.configure('no-web.yaml', noWeb);
  await until('web to be denied', async () => (await statusOf(fromWeb)) === 403);
  await isShutOut('web', web);
  assert.match(await told(denied), /denied by "ns\[shop\]-policy\[no-web\]-rule\[0\]"/);
  const entry = await until('the access log of who refused', () =>
    orders.access.find((e) => String(e['response_code_details']).includes('no-web')),
  );
  assert.deepEqual(
    [entry['response_code'], entry['source_principal'], entry['response_code_details']],
    [403, 'spiffe://mesh.example.org/ns/shop/sa/web', 'rbac_access_denied_matched_policy[ns[shop]-policy[no-web]-rule[0]]'],
  );

  await mesh.configure('no-web.yaml');
  await until('web to be let in again', async () => (await statusOf(fromWeb)) === 200);
  await reaches('web', web);
  await mesh.configure('only-web.yaml');
  await until('till to be let in again', async () => (await statusOf(fromTill)) === 200);
  await reaches('till', till);

  await mesh.configure('nobody.yaml', nobody);
  await until('nobody to be let in', async () => (await statusOf(fromWeb)) === 403 && (await statusOf(fromTill)) === 403);
  await mesh.configure('nobody.yaml');
  await until('both to be let in', async () => (await statusOf(fromWeb)) === 200 && (await statusOf(fromTill)) === 200);

  await mesh.configure('readers.yaml', readers);
  await until('a path to be refused', async () => (await fromWeb.status('/')) === 403);
  for (const [path, status] of [
    ['/orders/1', 200],
    ['//orders/.%2f1?x=y', 200],
    ['/orders/1/items', 403],
    ['/public/../orders', 403],
  ] as const) {
    assert.equal(await fromWeb.status(path), status, path);
  }
  const readBy = await until('the access log of who let in', () => orders.access.find((e) => e['path'] === '/orders/1'));
  assert.equal(readBy['authz_rule'], 'ns[shop]-policy[orders-readers]-rule[0]');
  assert.deepEqual([fromWeb.alive, fromTill.alive], [true, true], 'one connection each, through all of it');
});
