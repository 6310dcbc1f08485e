import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ExternalValue, MigrationCommand } from '../../../control/migrate/contract.ts';
import { isRunning } from '../../../control/migrate/machine/index.ts';
import type { MigrationSpec } from '../../../core/config/index.ts';
import { drainEndpoint, livePlaces, MigrationScene, migrationSpec } from '../../support/migration-machine-scene.ts';

type Act = (scene: MigrationScene) => void;
interface Move {
  readonly name: string;
  readonly act: Act;
}

const move = (name: string, act: Act): Move => ({ name, act });
const ask = (asked: MigrationCommand): Move => move(asked.type, (scene) => void scene.ask(asked));
const answer = (value: ExternalValue): Move => move(`hook ${value.kind}`, (scene) => (scene.external = new Map([['hook', value]])));

/** What happens in the world, and what people ask for. */
const worldMoves: readonly Move[] = [
  move('fails', (scene) => (scene.errorsOfNew = 0.2)),
  move('works', (scene) => (scene.errorsOfNew = 0)),
  move('quiet', (scene) => (scene.rate = 0)),
  move('busy', (scene) => (scene.rate = 200)),
  move('new side stale', (scene) => (scene.toPlaces = { ...livePlaces, state: 'stale' })),
  move('new side dead', (scene) => (scene.toPlaces = { ...livePlaces, healthy: 0 })),
  move('new side fine', (scene) => (scene.toPlaces = livePlaces)),
  move('old side dead', (scene) => (scene.fromPlaces = { ...livePlaces, healthy: 0 })),
  move('old side gone', (scene) => (scene.fromPlaces = { ...livePlaces, endpoints: 0, healthy: 0 })),
  move('old side fine', (scene) => (scene.fromPlaces = livePlaces)),
  move('behind', (scene) => (scene.proxies = { callers: 2, silent: [], behind: ['x'], missing: [], known: [] })),
  move('missing', (scene) => (scene.proxies = { callers: 2, silent: [], behind: [], missing: ['x'], known: [] })),
  move('silent', (scene) => (scene.proxies = { callers: 2, silent: ['x'], behind: [], missing: [], known: [] })),
  move('all heard', (scene) => (scene.proxies = { callers: 2, silent: [], behind: [], missing: [], known: [] })),
  move('freeze', (scene) => (scene.freeze = { by: 'ann', reason: 'holidays' })),
  move('unfreeze', (scene) => (scene.freeze = undefined)),
  move('safe', (scene) => (scene.drain = [drainEndpoint('safe')])),
  move('in use', (scene) => (scene.drain = [drainEndpoint('safe'), drainEndpoint('unknown')])),
  answer({ kind: 'pass', reason: 'ok' }),
  answer({ kind: 'no-data', reason: 'gone' }),
  answer({ kind: 'breach', reason: 'no' }),
  ask({ type: 'start', by: 'ann' }),
  ask({ type: 'pause', by: 'ann', reason: 'lunch' }),
  ask({ type: 'resume', by: 'ann' }),
  ask({ type: 'rollback', by: 'ann', reason: 'a hunch' }),
  ask({ type: 'abort', by: 'ann' }),
  ask({ type: 'approve', by: 'ann', step: 1 }),
  ask({ type: 'finish', by: 'ann', reason: 'I looked' }),
];
const crash = move('crash', (scene) => scene.crash());

const looks = fc.integer({ min: 1, max: 8 });
const script = fc.array(
  fc.tuple(fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...worldMoves) }, { weight: 2, arbitrary: fc.constant(crash) }), looks),
  {
    minLength: 10,
    maxLength: 60,
  },
);
const spec: fc.Arbitrary<MigrationSpec> = fc
  .record({
    data: fc.constantFrom('hold' as const, 'rollback' as const),
    parted: fc.constantFrom('hold' as const, 'rollback' as const),
    mirror: fc.boolean(),
    hook: fc.boolean(),
    approval: fc.boolean(),
  })
  .map(({ data, parted, mirror, hook, approval }) =>
    migrationSpec({
      gates: [
        { name: 'errors', type: 'error-rate', max: 0.01, minSamples: 30 },
        ...(hook ? [{ name: 'hook', type: 'http', url: 'http://h', timeoutMs: 1_000 } as const] : []),
      ],
      steps: [10, 50, 100].map((weight) => ({ weight, bakeMs: 30_000, approval: approval && weight === 50 })),
      onNoData: { action: data, afterMs: 60_000 },
      onPartition: { action: parted, afterMs: 30_000 },
      ...(mirror ? { mirror: { percent: 5, bakeMs: 15_000 } } : {}),
      baselineMs: 15_000,
    }),
  );

/** What must hold of every single look, whatever came before. */
function checkLook(scene: MigrationScene): void {
  const before = scene.state;
  const first = scene.memory === undefined;
  const began = scene.memory;
  scene.pass(before.spec.intervalMs);
  const world = {
    freeze: scene.freeze,
    places: [scene.fromPlaces, scene.toPlaces],
    behind: [...scene.proxies.behind, ...scene.proxies.missing],
  };
  scene.look();
  const after = scene.state;
  const gates = after.steps.at(before.step)?.gates ?? [];
  const weights = [0, ...after.spec.steps.map(({ weight }) => weight)];
  assert.ok(weights.includes(after.weight), `${after.weight} is the weight of no step`);
  if (after.weight > before.weight) {
    assert.equal(after.step, before.step + 1, 'one step at a time');
    assert.equal(after.weight, after.spec.steps[after.step]?.weight);
    assert.ok(before.paused === undefined && world.freeze === undefined, 'what is stopped does not rise');
    assert.ok(
      world.places.every(({ state }) => state === 'live'),
      'nothing rises unseen',
    );
    const approval = after.spec.steps[after.step]?.approval === true;
    assert.ok(!approval || after.approvals.some(({ step }) => step === after.step), 'nothing rises without its approval');
    if (before.step >= 0) {
      assert.ok(!first, 'a new leader has measured nothing');
      assert.ok(gates.length > 0 && gates.every(({ verdict }) => verdict === 'pass'), 'all gates passed');
      assert.deepEqual(world.behind, []);
      const bakeMs = before.spec.steps[before.step]?.bakeMs ?? 0;
      assert.ok(began !== undefined && scene.monotonic - began.beganAt >= bakeMs, 'it was baked by this leader alone');
    }
  }
  if (after.weight < before.weight) assert.ok(after.weight === 0 && after.phase === 'rolling-back');
  const seen = scene.memory?.gates ?? [];
  const measured = isRunning(before.phase) && ['mirroring', 'stepping'].includes(before.phase) && before.step >= 0;
  const broken = after.phase === before.phase && seen.some(({ verdict }) => verdict === 'breach');
  if (measured && broken && before.step === after.step)
    assert.ok(scene.fromPlaces.healthy === 0 && after.weight === before.weight, 'a breach goes back at once, where there is a way back');
}

test('whatever happens, in whatever order: weights are those of steps or none, rise by one step after all gates passed, and fall to 0', () => {
  fc.assert(
    fc.property(spec, script, (of, moves) => {
      const scene = new MigrationScene(of);
      scene.ask({ type: 'start', by: 'ann' });
      for (const [{ name, act }, count] of moves) {
        const { weight, phase } = scene.state;
        act(scene);
        const commanded = scene.state.weight;
        assert.ok(commanded === weight || commanded === 0, `${name} moved ${weight} to ${commanded} in ${phase}`);
        for (let n = 0; n < count; n++) checkLook(scene);
      }
    }),
    { numRuns: 300 },
  );
});

test('a crash before every single look costs time alone: no step is skipped, and no weight is moved twice', () => {
  fc.assert(
    fc.property(spec, fc.array(fc.nat({ max: 40 }), { maxLength: 6 }), (of, crashes) => {
      const scene = new MigrationScene({ ...of, steps: of.steps.map((step) => ({ ...step, approval: false })) });
      scene.external = new Map([['hook', { kind: 'pass', reason: 'ok' }]]);
      scene.drain = [drainEndpoint('safe')];
      scene.ask({ type: 'start', by: 'ann' });
      const weights: number[] = [0];
      for (let n = 0; scene.state.phase !== 'done' && n < 400; n++) {
        if (crashes.includes(n)) scene.crash();
        checkLook(scene);
        if (weights.at(-1) !== scene.state.weight) weights.push(scene.state.weight);
      }
      assert.deepEqual(weights, [0, 10, 50, 100]);
      assert.deepEqual(
        scene.state.steps.map(({ outcome }) => outcome),
        ['passed', 'passed', 'passed'],
      );
      assert.equal(scene.types().filter((type) => type === 'step-begun').length, 3);
    }),
    { numRuns: 60 },
  );
});
