import assert from 'node:assert/strict';
import { test } from 'node:test';
import { watchHealth } from '../../../sidecar-vm/health/index.ts';
import { Nudge } from '../../../sidecar-vm/nudge.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/until.ts';

const never = new AbortController().signal;

test('a wait ends at its time, or when asked, but never sooner than the floor however often it is asked', async () => {
  const clock = new ManualClock(0);
  const nudge = new Nudge();
  const ended: number[] = [];
  const wait = () => void nudge.wait(1_000, clock, never).then(() => ended.push(clock.now()));
  wait();
  for (let i = 0; i < 20; i++) nudge.ask();
  clock.advance(49);
  await until('a sleeper', () => clock.sleeping === 1);
  assert.deepEqual(ended, []);
  clock.advance(1);
  await until('the end', () => ended.length === 1);
  assert.deepEqual(ended, [50]);
  wait();
  clock.advance(50);
  await until('the second part of the wait', () => clock.sleeping === 1 && clock.now() === 100);
  await new Promise(setImmediate);
  nudge.ask();
  await until('the end', () => ended.length === 2);
  assert.equal(ended[1], 100);
  wait();
  clock.advance(50);
  await new Promise(setImmediate);
  clock.advance(950);
  await until('the end', () => ended.length === 3);
  assert.equal(ended[2], 1_100);
});

test('an aborted wait rejects and leaves nothing behind', async () => {
  const clock = new ManualClock(0);
  const stop = new AbortController();
  const waiting = new Nudge().wait(1_000, clock, stop.signal);
  stop.abort();
  await assert.rejects(waiting, { code: 'ABORTED' });
  assert.equal(clock.sleeping, 0);
});

test('a first failure is confirmed at once, not an interval later: a dead app is known within an interval and a little', async () => {
  const clock = new ManualClock(0);
  const stop = new AbortController();
  let alive = true;
  const run = async () => ({ ok: alive, reason: alive ? 'ok' : 'refused' });
  const check = {
    probe: { kind: 'exec', command: ['true'] },
    intervalMs: 1_000,
    timeoutMs: 1_000,
    thresholds: { healthy: 1, unhealthy: 2 },
  } as const;
  const seen: (readonly [string, number])[] = [];
  const watching = (async () => {
    for await (const { verdict } of watchHealth(check, { clock, run }, stop.signal)) seen.push([verdict, clock.now()]);
  })();
  await until('healthy', () => seen.length === 1);
  alive = false;
  while (seen.length === 1) {
    await until('a sleeper', () => clock.sleeping > 0 || seen.length > 1);
    clock.advance(10);
    await new Promise(setImmediate);
  }
  assert.equal(seen[1]?.[0], 'unhealthy');
  assert.ok((seen[1]?.[1] ?? Infinity) <= 1_150, `took ${seen[1]?.[1]} ms`);
  stop.abort();
  await watching;
});
