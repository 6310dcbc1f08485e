import assert from 'node:assert/strict';
import test from 'node:test';
import { MeshError } from '../../../core/errors.ts';
import { PacedChanges } from '../../../registries/vm/paced-changes.ts';
import { ManualClock } from '../../support/manual-clock.ts';

type Round = readonly (readonly [string, number | undefined])[];
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

function scene(tookMs: number, signal = new AbortController().signal) {
  const clock = new ManualClock();
  const rounds: Round[] = [];
  let failures = 0;
  let fault: Error | undefined;
  const paced = new PacedChanges<number | undefined>({
    tell: async (round) => {
      if (fault !== undefined) throw fault;
      rounds.push(round);
      clock.advance(tookMs);
    },
    onFailure: () => {
      failures += 1;
    },
    clock,
    signal,
  });
  return { clock, rounds, paced, failures: () => failures, failWith: (error: Error) => (fault = error) };
}

test('what is said at once is told together, and what costs nothing waits for nothing', async () => {
  const { clock, rounds, paced } = scene(0);
  paced.add('a', 1);
  paced.add('b', 2);
  await paced.idle();
  paced.add('a', undefined);
  await paced.idle();
  assert.deepEqual(rounds, [
    [
      ['a', 1],
      ['b', 2],
    ],
    [['a', undefined]],
  ]);
  assert.equal(clock.sleeping, 0);
});

for (const { tookMs, pauseMs } of [
  { tookMs: 2, pauseMs: 20 },
  { tookMs: 40, pauseMs: 400 },
  { tookMs: 300, pauseMs: 500 },
]) {
  test(`a round of ${tookMs} ms is followed by a pause of ${pauseMs} ms, and the latest of each key by one more round`, async () => {
    const { clock, rounds, paced } = scene(tookMs);
    paced.add('a', 1);
    await settled();
    for (let n = 2; n <= 1_000; n++) paced.add('a', n);
    paced.add('b', 1);
    await settled();
    assert.equal(rounds.length, 1);
    clock.advance(pauseMs - 1);
    await settled();
    assert.equal(rounds.length, 1);
    clock.advance(1);
    await settled();
    assert.deepEqual(rounds.slice(1), [
      [
        ['a', 1_000],
        ['b', 1],
      ],
    ]);
  });
}

test('what was known before gives way to what waits, and to nothing else', async () => {
  const { rounds, paced } = scene(0);
  paced.add('gone', undefined);
  paced.addKnown('gone', 1);
  paced.addKnown('stays', 2);
  await paced.idle();
  assert.deepEqual(rounds, [
    [
      ['gone', undefined],
      ['stays', 2],
    ],
  ]);
});

test('after a failure nothing is told, whoever waits hears it, and the owner once', async () => {
  const { rounds, paced, failures, failWith } = scene(0);
  failWith(new Error('not decodable'));
  paced.add('a', 1);
  await assert.rejects(paced.idle(), /not decodable/);
  paced.add('b', 1);
  await settled();
  assert.deepEqual([rounds.length, failures()], [0, 1]);
});

test('an abort ends the pause and what waits, without an error', async () => {
  const stop = new AbortController();
  const { rounds, paced, failures } = scene(40, stop.signal);
  paced.add('a', 1);
  await settled();
  paced.add('b', 1);
  stop.abort();
  await paced.idle();
  assert.deepEqual([rounds.length, failures()], [1, 0]);
});

test('a reader that has gone is no failure', async () => {
  const { paced, failures, failWith } = scene(0);
  failWith(new MeshError('ABORTED', 'the registry source has ended'));
  paced.add('a', 1);
  await paced.idle();
  assert.equal(failures(), 0);
});
