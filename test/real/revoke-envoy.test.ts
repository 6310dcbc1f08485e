import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Revocation, RevocationStatus } from '../../core/admin/index.ts';
import { GuardedMesh } from '../integration/policy/guarded-mesh.ts';
import { until } from '../support/until.ts';
import { install } from './servers/index.ts';

const boundMs = 5_000;

test('a real Envoy that is connected refuses new connections of an identity within 5 s of its revocation', {
  timeout: 240_000,
}, async (t) => {
  const envoyPath = (await install('envoy')).binary('envoy');
  const mesh = await GuardedMesh.start(t);
  const orders = await mesh.vm('orders', 8080, {}, undefined, { proxy: 'envoy', envoyPath });
  const web = await mesh.identity('web');
  const till = await mesh.identity('till');
  const statusOf = async (identity: typeof web) => {
    try {
      const made = await mesh.connect(identity, orders.agent.inbound.port);
      const status = await made.status('/');
      made.close();
      return status;
    } catch {
      return 0;
    }
  };
  await until('Envoy to let both in', async () => (await statusOf(web)) === 200 && (await statusOf(till)) === 200);
  // Not by a command: on a busy machine a process takes seconds to start, which are not of the bound.
  const api = await mesh.api();
  const at = performance.now();
  assert.equal((await api.post<Revocation>('/v1/revocations', { target: 'bare-web' })).already, false);
  await until('Envoy to refuse it', async () => [0, 403].includes(await statusOf(web)));
  const tookMs = performance.now() - at;
  assert.ok(tookMs < boundMs, `${tookMs} ms`);
  t.diagnostic(`refused after ${Math.round(tookMs)} ms`);
  const again = JSON.parse(await mesh.cli('vm', 'revoke', 'bare-web', '--wait', '--output', 'json')) as Revocation & RevocationStatus;
  assert.deepEqual([again.already, again.laggards], [true, []]);
  for (let i = 0; i < 5; i++) assert.notEqual(await statusOf(web), 200, 'and stays refused');
  assert.equal(await statusOf(till), 200, 'nobody else is touched');
});
