import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  initialSilence,
  defaultSilenceLimits as limits,
  type SilenceEffect,
  type SilenceEvent,
  stepSilence,
} from '../../../gateway/health/silence.ts';

/** Runs events, and returns when something was to be done. */
function run(events: readonly SilenceEvent[]): readonly (readonly [now: number, effect: SilenceEffect])[] {
  const effects: (readonly [number, SilenceEffect])[] = [];
  events.reduce((state, event) => {
    const [next, effect] = stepSilence(state, event, limits);
    if (effect !== 'none') effects.push([event.now, effect]);
    return next;
  }, initialSilence(limits));
  return effects;
}

const looks = (from: number, to: number, more: Partial<Extract<SilenceEvent, { kind: 'looked' }>> = {}) =>
  Array.from(
    { length: Math.round((to - from) / 100) },
    (_, i): SilenceEvent => ({ kind: 'looked', now: from + i * 100, heard: false, waiting: true, stalledMs: 0, ...more }),
  );
const probed = (now: number, result: 'open' | 'refused' | 'nothing'): SilenceEvent => ({ kind: 'probed', now, result });

describe('silence', () => {
  test('waited for and nothing heard: probed after a quarter of a second; not reached: lost', () => {
    assert.deepEqual(run([...looks(0, 500), probed(500, 'nothing')]), [
      [300, 'probe'],
      [500, 'lost'],
    ]);
  });

  test('a machine that is heard on any connection, or of which nothing is wanted, is never probed', () => {
    assert.deepEqual(run(looks(0, 60_000, { waiting: false })), []);
    const everyOther = looks(0, 60_000).map((look, i): SilenceEvent => (look.kind === 'looked' ? { ...look, heard: i % 2 === 0 } : look));
    assert.deepEqual(run(everyOther), []);
  });

  test('a slow application costs fewer and fewer probes, and is not given up', () => {
    const events: SilenceEvent[] = [];
    let state = initialSilence(limits);
    let probes = 0;
    for (let now = 0; now < 60_000; now += 100) {
      const [next, effect] = stepSilence(state, { kind: 'looked', now, heard: false, waiting: true, stalledMs: 0 }, limits);
      state = next;
      if (effect === 'probe') {
        probes += 1;
        events.push(probed(now, 'open'));
        [state] = stepSilence(state, probed(now, probes % 2 === 0 ? 'open' : 'refused'), limits);
      }
      assert.notEqual(effect, 'lost');
    }
    assert.ok(probes <= 9, `${probes} probes in a minute`);
  });

  test('bytes that come while a probe is under way decide, whatever becomes of the probe', () => {
    assert.deepEqual(run([...looks(0, 400), ...looks(400, 500, { heard: true }), probed(500, 'nothing')]), [[300, 'probe']]);
  });

  test('time in which we ourselves stood still is not held against anybody', () => {
    const stalled = looks(5_000, 5_200, { stalledMs: 4_800 }).slice(0, 1);
    assert.deepEqual(run([...looks(0, 100), ...stalled]), []);
  });

  test('it returns after three probes in a row; twice as many after a relapse', () => {
    const back = (from: number) => {
      const events: SilenceEvent[] = [];
      for (let i = 0; i < 8; i++) events.push(...looks(from + i * 1_000, from + i * 1_000 + 800), probed(from + i * 1_000 + 900, 'open'));
      return events;
    };
    const lost = [...looks(0, 400), probed(400, 'nothing')];
    const effects = run([...lost, ...back(1_000), ...looks(9_000, 9_400), probed(9_500, 'nothing'), ...back(10_000)]);
    const spans = effects.filter(([, effect]) => effect !== 'probe').map(([now, effect]) => `${effect} ${now}`);
    assert.deepEqual(spans.slice(0, 4), ['lost 400', 'returned 3900', 'lost 9500', 'returned 15900']);
  });

  test('whatever happens: lost only by a probe that reached nobody, returned only after enough that connected', () => {
    const event: fc.Arbitrary<(now: number) => SilenceEvent> = fc.oneof(
      fc.record({ heard: fc.boolean(), waiting: fc.boolean(), stalledMs: fc.integer({ min: 0, max: 500 }) }).map(
        (look) =>
          (now: number): SilenceEvent => ({ kind: 'looked', now, ...look }),
      ),
      fc.constantFrom('open', 'refused', 'nothing').map((result) => (now: number) => probed(now, result as 'open' | 'refused' | 'nothing')),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 200 }), (makers) => {
        let state = initialSilence(limits);
        let opens = 0;
        makers.forEach((make, i) => {
          const each = make(i * 100);
          const before = state;
          const [next, effect] = stepSilence(state, each, limits);
          state = next;
          if (each.kind === 'probed' && before.phase === 'lost' && before.probing) opens = each.result === 'open' ? opens + 1 : 0;
          if (effect === 'lost') {
            assert.deepEqual([each.kind === 'probed' && each.result, before.phase], ['nothing', 'asked']);
            opens = 0;
          }
          if (effect === 'returned') assert.ok(opens >= limits.neededProbes);
          if (effect === 'probe') assert.ok(before.phase === 'lost' ? !before.probing : before.phase === 'sound');
          assert.equal(state.phase === 'lost', effect === 'lost' || (before.phase === 'lost' && effect !== 'returned'));
        });
      }),
    );
  });
});
