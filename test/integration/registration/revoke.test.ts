import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InstanceList, Revocation, RevocationStatus } from '../../../core/admin/index.ts';
import { obtainIdentity } from '../../../core/identity/index.ts';
import { silentLog } from '../../../core/log.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';
import { GuardedMesh } from '../policy/guarded-mesh.ts';

/** What the issue gives to connected proxies. */
const boundMs = 5_000;
const json = ['--output', 'json'];

test('an identity that is revoked is refused by connected agents within 5 s, and its standing connections are cut', {
  timeout: 120_000,
}, async (t) => {
  const mesh = await GuardedMesh.start(t);
  const orders = await mesh.vm('orders', 8080);
  const port = orders.agent.inbound.port;
  const web = await mesh.identity('web');
  const other = await mesh.identity('till');
  const stands = await until('a connection', async () => {
    const made = await mesh.connect(web, port);
    if ((await made.status('/')) === 200) return made;
    made.close();
    return undefined;
  });
  const innocent = await mesh.connect(other, port);
  assert.equal(await innocent.status('/'), 200);

  const planned = JSON.parse(await mesh.cli('vm', 'revoke', 'bare-web', '--dry-run', ...json)) as Revocation;
  assert.deepEqual([planned.dryRun, planned.already, planned.serials], [true, false, [web.current().serial]]);
  assert.equal(await stands.status('/'), 200, 'a dry run changes nothing');

  // Not by a command: on a busy machine a process takes seconds to start, which are not of the bound.
  const api = await mesh.api();
  const at = performance.now();
  const done = await api.post<Revocation>('/v1/revocations', { target: 'bare-web' });
  assert.deepEqual([done.already, done.serials], [false, [web.current().serial]]);
  await until('the standing connection to be cut', () => !stands.alive);
  await assert.rejects(mesh.connect(web, port).then((made) => made.status('/')));
  assert.ok(performance.now() - at < boundMs, `${performance.now() - at} ms`);
  assert.equal(await innocent.status('/'), 200, 'nobody else is touched');
  innocent.close();

  const again = JSON.parse(await mesh.cli('vm', 'revoke', 'bare-web', '--wait', ...json)) as Revocation & RevocationStatus;
  assert.deepEqual([again.already, again.serials], [true, done.serials], 'revoking twice is revoking once');
  assert.deepEqual([again.laggards, again.denied], [[], 1]);
  const missing = await mesh.tryCli('vm', 'revoke', 'nobody');
  assert.notEqual(missing.code, 0);
  assert.match(missing.err, /nobody attested as nobody/);
});

test('what is revoked loses its endpoints at once, renews nothing and does not come back by its token, with any key', {
  timeout: 120_000,
}, async (t) => {
  const mesh = await GuardedMesh.start(t);
  const token = (await mesh.cli('vm', 'token', 'shop/fleet', '--port', '80', '--max-uses', '3')).trim();
  const stop = new AbortController();
  onEnd(t, () => stop.abort());
  const join = async (instance: string) => {
    const common = { clock: systemClock, random: Math.random, log: silentLog, signal: stop.signal };
    return obtainIdentity({ ...common, dir: await temporaryDir(t), token, instance });
  };
  await join('one');
  await join('two');
  const orders = await mesh.vm('orders', 8080);
  const caller = await mesh.vm('web', 8081);
  const status = () =>
    fetch(`http://127.0.0.1:${caller.local}/`).then(
      (answer) => answer.status,
      () => 0,
    );
  await until('orders to answer', async () => (await status()) === 200);
  const text = await mesh.cli('vm', 'revoke', 'shop/orders/vm-orders');
  assert.match(text, /^Revoked vm-orders \(spiffe:\/\/mesh\.example\.org\/ns\/shop\/sa\/orders\): 1 registrations, 1 certificates\.$/m);
  assert.match(text, /Proxyless gRPC servers take its certificates until /);
  await until('nobody to be left to call', async () => (await status()) === 503);
  await until('its agent to be told why', () =>
    orders.agent.status().stages.some(({ stage, ok, reason }) => stage === 'registered' && !ok && /revoked.*isthmus vm join/.test(reason)),
  );
  assert.equal(orders.agent.status().registration, 'refused');
  const { instances } = JSON.parse(await mesh.cli('vm', 'list', ...json)) as InstanceList;
  assert.equal(instances.find(({ id }) => id === 'vm-orders')?.stage, 'revoked');

  const one = JSON.parse(await mesh.cli('vm', 'revoke', 'one', ...json)) as Revocation;
  assert.equal(one.openTokens.length, 1, 'its token has a use left');
  await assert.rejects(join('one'), /proof does not hold/);
  const all = JSON.parse(await mesh.cli('vm', 'revoke', '--token', one.openTokens[0] ?? '', ...json)) as Revocation;
  assert.deepEqual(all.instances.map(({ id }) => id).sort(), ['one', 'two']);
  await assert.rejects(join('three'), /proof does not hold/);
});
