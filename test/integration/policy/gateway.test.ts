import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';
import { GuardedMesh } from './guarded-mesh.ts';

const policy = (spec: string) =>
  `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: legacy, namespace: shop}\nspec: {selector: {matchLabels: {app: legacy}}, ${spec}}\n`;

test('a gateway that ends mTLS for a service without a sidecar refuses whom the policies refuse', { timeout: 120_000 }, async (t) => {
  const mesh = await GuardedMesh.start(t);
  const gateway = await mesh.legacy();
  const web = await mesh.vm('web', 8081);
  const reply = await until('web to reach it through the gateway', async () => {
    const response = await fetch(`http://127.0.0.1:${web.toLegacy}/`);
    return response.status === 200 ? ((await response.json()) as { principal: string }) : undefined;
  });
  assert.equal(reply.principal, 'spiffe://mesh.example.org/ns/shop/sa/web');
  const { port } = gateway.eastWest;
  const [asWeb, asTill] = [await mesh.identity('web'), await mesh.identity('till')];
  const [fromWeb, fromTill] = [await mesh.connect(asWeb, port, 'legacy'), await mesh.connect(asTill, port, 'legacy')];
  onEnd(t, () => {
    fromWeb.close();
    fromTill.close();
  });
  const statuses = async () => [await fromWeb.status('/'), await fromTill.status('/')];
  const become = (what: string, ...expected: number[]) => until(what, async () => String(await statuses()) === String(expected));
  await become('both are let in', 200, 200);
  await mesh.configure('legacy.yaml', policy('rules: [{from: [{source: {principals: ["*/sa/web"]}}]}]'));
  await become('till is not', 200, 403);
  await mesh.configure(
    'legacy.yaml',
    policy('action: DENY, rules: [{from: [{source: {notPrincipals: ["*/sa/till"], clusters: [east]}}]}]'),
  );
  await become('only till is', 403, 200);
  await mesh.configure('legacy.yaml', policy('action: DENY, rules: [{from: [{source: {clusters: [west]}}]}]'));
  await become('both are again', 200, 200);
  assert.deepEqual([fromWeb.alive, fromTill.alive], [true, true]);

  await mesh.configure('legacy.yaml', policy('action: CUSTOM, rules: [{}]'));
  await until('the log to say why', () => mesh.lines.some((line) => /spec\.action: CUSTOM is not supported/.test(line)));
  assert.deepEqual(await statuses(), [200, 200], 'the last good one stays in force');
});
