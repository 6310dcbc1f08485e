import assert from 'node:assert/strict';
import { test } from 'node:test';
import { revoke } from '../../../control/revocation/index.ts';
import { obtainIdentity } from '../../../core/identity/index.ts';
import { silentLog } from '../../../core/log.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { AgentPlane, agentOptions, runTestAgent } from '../../support/agent-plane.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

const revoked = /this SVID was revoked: .*isthmus vm token.*isthmus vm join/;

async function take({ plane }: AgentPlane, target: string): Promise<void> {
  const { store, ledger, instances } = plane;
  await revoke({ target }, { store, ledger, instances, now: Date.now() }, false);
  await until('its serial to be denied', () => plane.authority.bundle().deniedSerials.length > 0);
}

test('the agent of a revoked machine says so in its status, and asks again seldom, with one line in the control plane’s log', {
  timeout: 60_000,
}, async (t) => {
  const plane = await AgentPlane.start(t);
  const services = [{ namespace: 'shop', name: 'orders', port: 8080, appPort: 1 }];
  const { agent } = await runTestAgent(t, agentOptions({ stateDir: await temporaryDir(t), token: await plane.token('orders'), services }));
  await until('a registration', () => agent.status().registration === 'registered');
  await until('a stream', () => agent.status().data.from === 'control-plane');

  const since = performance.now();
  await take(plane, 'vm-1');
  const stage = () => agent.status().stages.find((each) => each.stage === 'registered');
  await until('the agent to be told', () => revoked.test(stage()?.reason ?? ''));
  assert.equal(agent.status().registration, 'refused');
  await until('the stream of ADS to be told', () => revoked.test(agent.status().data.lastError ?? ''));
  assert.equal(agent.status().ready, false);

  // What stood is dialled anew once, by each of what an agent keeps open; from then on it is seconds between two of them.
  await systemClock.sleep(3_000);
  const { 'connection revoked': dialled = 0, ...others } = await plane.plane.refused();
  // However long that took here: each of those, three at most, waits for 5 s or more once it was told.
  const most = 3 + 3 * Math.ceil((performance.now() - since) / 5_000);
  assert.ok(dialled >= 2 && dialled <= most, `${dialled} connections, where ${most} are the most`);
  assert.deepEqual(others, {});
  const lines = plane.plane.lines.filter((line) => line.includes('refused'));
  assert.equal(lines.length, 1, lines.join('\n'));
  assert.match(lines[0] ?? '', /connection refused.*127\.0\.0\.1.*"revoked".*is denied/);
});

test('renewing with a revoked SVID is refused, and so is attesting anew, which is what the identity says', {
  timeout: 60_000,
}, async (t) => {
  const plane = await AgentPlane.start(t, { svidTtlMs: 6_000 });
  const stop = new AbortController();
  onEnd(t, () => stop.abort());
  const warned: string[] = [];
  const warn = (fields: object, message: string) => void warned.push(`${message} ${JSON.stringify(fields)}`);
  const identity = await obtainIdentity({
    dir: await temporaryDir(t),
    token: await plane.token('orders'),
    instance: 'vm-1',
    clock: systemClock,
    random: () => 1,
    log: { ...silentLog, warn },
    signal: stop.signal,
  });
  await take(plane, 'vm-1');
  await until('a renewal', () => identity.status().lastError !== undefined);
  assert.match(identity.status().lastError ?? '', /the proof does not hold: it may be expired, used, revoked or wrong/);
  const refusal = warned.find((line) => line.startsWith('renewal refused: attesting again')) ?? '';
  assert.match(refusal, revoked);
  const counted = await plane.plane.refused();
  assert.ok((counted['connection revoked'] ?? 0) >= 1 && (counted['attestation revoked'] ?? 0) >= 1, JSON.stringify(counted));
});
