import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { giveBackAtRest } from '../../../sidecar-vm/parts/rest.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { until } from '../../support/until.ts';

const mebibyte = 1024 * 1024;

/** A process that looks at itself each 15 s; giving back leaves it 50 MiB. */
async function processOf(t: TestContext, mebibytes: number) {
  const clock = new ManualClock();
  const stop = new AbortController();
  const state = { mebibytes, cpuMs: 5_000, given: 0 };
  const done = giveBackAtRest(clock, stop.signal, {
    cpuMs: () => state.cpuMs,
    residentBytes: () => state.mebibytes * mebibyte,
    giveBack: () => {
      state.given += 1;
      state.mebibytes = 50;
    },
  });
  t.after(async () => {
    stop.abort();
    await done;
  });
  /** 15 s of so much CPU, and what it holds after it. */
  const passes = async (cpuMs: number, after: number) => {
    await until('a sleeper', () => clock.sleeping > 0);
    [state.cpuMs, state.mebibytes] = [state.cpuMs + cpuMs, after];
    clock.advance(15_000);
    await until('the next sleeper', () => clock.sleeping > 0);
    return state.given;
  };
  return { state, stop, done, passes };
}

test('what the start took is given back once, whatever goes on', async (t) => {
  const { passes } = await processOf(t, 94);
  assert.equal(await passes(9_000, 94), 1);
  assert.equal(await passes(10, 61), 1, 'what comes back by itself is left');
  assert.equal(await passes(10, 61), 1);
});

test('what work took is given back when it is over, not before', async (t) => {
  const { passes } = await processOf(t, 94);
  assert.equal(await passes(0, 94), 1);
  assert.equal(await passes(3_000, 180), 1);
  assert.equal(await passes(3_000, 200), 1);
  assert.equal(await passes(20, 200), 2);
  assert.equal(await passes(20, 61), 2);
});

test('it ends with its signal', async (t) => {
  const { stop, done, state } = await processOf(t, 94);
  stop.abort();
  await done;
  assert.equal(state.given, 0);
});
