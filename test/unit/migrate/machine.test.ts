import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MigrationCommand } from '../../../control/migrate/contract.ts';
import { inForce, reserve, shiftOf, statusOf } from '../../../control/migrate/machine/index.ts';
import type { MigrationSpec } from '../../../core/config/index.ts';
import { drainEndpoint, livePlaces, MigrationScene, migrationSpec, noCounts, of } from '../../support/migration-machine-scene.ts';

const by = 'ann';
const fewer: MigrationSpec['gates'] = [{ name: 'errors', type: 'error-rate', max: 0.01, minSamples: 50 }];
const rollback: MigrationCommand = { type: 'rollback', by, reason: 'a hunch' };

function started(spec?: MigrationSpec): MigrationScene {
  const scene = new MigrationScene(spec);
  assert.deepEqual(scene.ask({ type: 'start', by }), []);
  return scene;
}

function atStep(step: number, spec?: MigrationSpec): MigrationScene {
  const scene = started(spec);
  scene.tickUntil(`step ${step}`, (state) => state.step === step);
  return scene;
}

test('a migration goes from reserved to done by its steps, each for its bake time, and keeps what it saw', () => {
  const scene = new MigrationScene();
  assert.equal(scene.state.phase, 'reserved');
  assert.deepEqual(shiftOf(scene.state), {
    service: 'reviews',
    from: { cluster: 'east', registry: 'consul/dc1' },
    to: { cluster: 'east', registry: 'kubernetes/prod' },
    weight: 0,
    mirrorPercent: 0,
  });
  scene.ask({ type: 'start', by });
  const weights: number[] = [];
  scene.drain = [drainEndpoint('in-use'), drainEndpoint('unknown', '10.0.0.2:80')];
  scene.tickUntil('draining', ({ phase, weight }) => {
    if (weights.at(-1) !== weight) weights.push(weight);
    return phase === 'draining';
  });
  assert.deepEqual(weights, [0, 1, 25, 100]);
  for (const { outcome, weight, to, begunAt, endedAt, gates } of scene.state.steps) {
    assert.equal(outcome, 'passed');
    // 1 % of 100 a second needs 299 s for its 299 requests.
    assert.equal(((endedAt ?? 0) - begunAt) / 1_000, weight === 1 ? 300 : 60);
    assert.ok(to.requests >= 299 && to.p99 !== null && gates.length === 1);
  }
  assert.equal(scene.state.baseline?.requests, 6_000);
  scene.tick();
  assert.equal(scene.state.phase, 'draining');
  scene.drain = [drainEndpoint('safe'), drainEndpoint('safe', '10.0.0.2:80')];
  scene.tick();
  assert.equal(scene.state.phase, 'done');
  assert.deepEqual(
    scene.types().filter((type, i, all) => all[i - 1] !== type),
    [
      'started',
      'baseline-measured',
      'step-begun',
      'gate-waits',
      'hold',
      'hold-over',
      'step-passed',
      'step-begun',
      'step-passed',
      'step-begun',
      'step-passed',
      'draining',
      'safe',
      'done',
    ],
  );
});

test('a breach goes back within the interval, and says which value broke which limit', () => {
  const scene = atStep(1);
  scene.errorsOfNew = 0.03;
  scene.tick();
  const { phase, weight, rollback: back, steps } = scene.state;
  assert.deepEqual([phase, weight, back?.fromWeight], ['rolling-back', 0, 25]);
  assert.match(back?.reason ?? '', /gate errors: 2\.9\d % of 375 .* failed, more than 1 %/);
  assert.equal(steps.at(-1)?.outcome, 'breach');
  assert.equal(steps.at(-1)?.to.requests, 375);
  scene.proxies = { callers: 3, silent: [], behind: ['vm-1'], missing: [], known: [] };
  scene.tick();
  assert.equal(scene.state.phase, 'rolling-back');
  scene.proxies = { callers: 3, silent: ['vm-2'], behind: [], missing: [], known: [] };
  scene.tick();
  assert.equal(scene.state.phase, 'rolled-back');
  assert.match(scene.state.events.at(-1)?.message ?? '', /but for those that nothing was heard of: vm-2$/);
  assert.equal(shiftOf(scene.state)?.weight, 0);
});

test('a way back waits a minute for callers that nobody can reach, and says who they were', () => {
  const scene = atStep(1);
  scene.errorsOfNew = 0.03;
  scene.tick();
  scene.proxies = { callers: 3, silent: ['vm-2'], behind: [], missing: ['vm-1', 'vm-2'], known: [] };
  for (let n = 0; n < 3; n++) scene.tick();
  assert.equal(scene.state.phase, 'rolling-back');
  for (let n = 0; n < 2; n++) scene.tick();
  assert.equal(scene.state.phase, 'rolled-back');
  assert.match(scene.state.events.at(-1)?.message ?? '', /but for those that nothing was heard of: vm-2, vm-1$/);
});

test('a breach goes back while it is paused, frozen, held, or waits for an approval', () => {
  const steps = migrationSpec().steps.map((step) => ({ ...step, approval: step.weight === 100 }));
  const stops: readonly ((scene: MigrationScene) => void)[] = [
    (scene) => scene.ask({ type: 'pause', by, reason: 'lunch' }),
    (scene) => (scene.freeze = { by, reason: 'holidays' }),
    (scene) => (scene.toPlaces = { ...livePlaces, state: 'stale' }),
    () => undefined,
  ];
  for (const stop of stops) {
    const scene = atStep(1, migrationSpec({ steps }));
    stop(scene);
    for (let n = 0; n < 10; n++) scene.tick();
    assert.deepEqual([scene.state.phase, scene.state.weight], ['stepping', 25]);
    scene.errorsOfNew = 0.05;
    scene.tick();
    assert.deepEqual([scene.state.phase, scene.state.weight], ['rolling-back', 0]);
  }
});

test('a new side without any healthy endpoint is a breach, and is none while its registry is not seen', () => {
  const scene = atStep(1);
  scene.toPlaces = { ...livePlaces, state: 'stale', healthy: 0 };
  scene.tick();
  assert.equal(scene.state.weight, 25);
  scene.toPlaces = { ...livePlaces, healthy: 0 };
  scene.tick();
  assert.equal(scene.state.weight, 0);
  assert.match(scene.state.rollback?.reason ?? '', /no healthy endpoint of 2/);
});

test('no way back where the old side is dead: it is held and says so, and goes back as soon as it can', () => {
  const scene = atStep(1);
  scene.fromPlaces = { ...livePlaces, healthy: 0 };
  scene.errorsOfNew = 0.05;
  scene.tick();
  assert.equal(scene.state.weight, 25);
  assert.match(scene.state.hold?.reason ?? '', /gate errors.*no healthy endpoint of 2 to go back to/);
  assert.match(scene.ask(rollback)[0] ?? '', /no healthy endpoint of 2/);
  scene.fromPlaces = livePlaces;
  scene.tick();
  assert.equal(scene.state.phase, 'rolling-back');
});

test('without data a step never ends: it is held once its time is over, and goes on when there is data again', () => {
  const scene = atStep(1, migrationSpec({ gates: fewer }));
  scene.rate = 0;
  for (let n = 0; n < 30; n++) scene.tick();
  assert.deepEqual([scene.state.phase, scene.state.weight], ['stepping', 25]);
  assert.match(scene.state.hold?.reason ?? '', /not enough was known for longer than 120 s: gate errors: no request/);
  scene.rate = 100;
  scene.tick();
  assert.equal(scene.state.hold, undefined);
  assert.equal(scene.state.step, 2);
  assert.deepEqual(
    scene.types().filter((type) => type.startsWith('hold')),
    ['hold', 'hold-over'],
  );
});

test('without data it goes back after the time that the object gives, and not before', () => {
  const scene = atStep(1, migrationSpec({ gates: fewer, onNoData: { action: 'rollback', afterMs: 120_000 } }));
  scene.proxies = { callers: 3, silent: ['vm-1'], behind: [], missing: [], known: [] };
  for (let n = 0; n < 12; n++) scene.tick();
  assert.equal(scene.state.phase, 'stepping');
  scene.tick();
  assert.equal(scene.state.phase, 'rolling-back');
  assert.match(scene.state.rollback?.reason ?? '', /no report came from vm-1/);
});

for (const action of ['hold', 'rollback'] as const) {
  test(`a side that cannot be seen for too long: ${action}, as the object says`, () => {
    const scene = atStep(1, migrationSpec({ onPartition: { action, afterMs: 60_000 } }));
    scene.toPlaces = { ...livePlaces, state: 'stale' };
    for (let n = 0; n < 5; n++) scene.tick();
    assert.deepEqual([scene.state.phase, scene.state.weight, scene.state.hold], ['stepping', 25, undefined]);
    scene.tick();
    if (action === 'rollback') {
      assert.equal(scene.state.phase, 'rolling-back');
      assert.match(scene.state.rollback?.reason ?? '', /new side's registry is stale, for longer than 60 s/);
      return;
    }
    assert.match(scene.state.hold?.reason ?? '', /new side's registry is stale/);
    scene.toPlaces = livePlaces;
    scene.tick();
    assert.deepEqual([scene.state.step, scene.state.hold], [2, undefined]);
  });
}

test('an approval is waited for at the weight before, once all gates pass, and told once', () => {
  const steps = migrationSpec().steps.map((step) => ({ ...step, approval: step.weight !== 25 }));
  const scene = started(migrationSpec({ steps }));
  for (let n = 0; n < 20; n++) scene.tick();
  assert.deepEqual([scene.state.phase, scene.state.step, scene.state.weight], ['stepping', -1, 0]);
  assert.equal(scene.types().filter((type) => type === 'gate-waits').length, 1);
  assert.match(scene.ask({ type: 'approve', by, step: 1 })[0] ?? '', /step 2 needs no approval/);
  assert.match(scene.ask({ type: 'approve', by, step: 9 })[0] ?? '', /there is no step 10/);
  assert.deepEqual(scene.ask({ type: 'approve', by, step: 0 }), []);
  assert.match(scene.ask({ type: 'approve', by, step: 0 })[0] ?? '', /approved already, by ann/);
  scene.tick();
  assert.equal(scene.state.weight, 1);
  assert.match(scene.ask({ type: 'approve', by, step: 0 })[0] ?? '', /has begun already/);
  assert.deepEqual(scene.ask({ type: 'approve', by, step: 2 }), []);
  scene.tickUntil('the last step', ({ step }) => step === 2);
});

test('what is waited for comes first: dependencies, others that run, a freeze', () => {
  const scene = started();
  scene.blockers = ['shop/ratings is not done'];
  scene.freeze = { by, reason: 'holidays' };
  scene.tick();
  assert.deepEqual([scene.state.phase, scene.state.hold?.reason], ['waiting', 'frozen by ann: holidays']);
  scene.freeze = undefined;
  scene.tick();
  assert.deepEqual([scene.state.phase, scene.state.hold], ['waiting', undefined]);
  scene.blockers = [];
  scene.tick();
  assert.equal(scene.state.phase, 'baseline');
  assert.deepEqual(scene.types(), ['started', 'frozen', 'unfrozen']);
});

test('the baseline waits for the requests that later comparisons need', () => {
  const gates: MigrationSpec['gates'] = [{ name: 'ratio', type: 'latency', percentile: 99, maxRatio: 2 }];
  const scene = started(migrationSpec({ gates }));
  scene.rate = 2;
  scene.tickUntil('the first step', ({ step }) => step === 0);
  assert.ok((scene.state.baseline?.requests ?? 0) >= 299);
  scene.rate = 0;
  const quiet = started();
  quiet.rate = 0;
  for (let n = 0; n < 30; n++) quiet.tick();
  assert.equal(quiet.state.phase, 'baseline');
  assert.match(quiet.state.hold?.reason ?? '', /0 requests and connections to the old side, and 20 are needed/);
});

test('copies come before weight, and what asks others must pass with them', () => {
  const gates: MigrationSpec['gates'] = [...migrationSpec().gates, { name: 'hook', type: 'http', url: 'http://h', timeoutMs: 1_000 }];
  const scene = started(migrationSpec({ gates, mirror: { percent: 10, bakeMs: 60_000 } }));
  scene.tickUntil('copies', ({ phase }) => phase === 'mirroring');
  assert.deepEqual([scene.state.weight, scene.state.mirrorPercent], [0, 10]);
  for (let n = 0; n < 10; n++) scene.tick();
  assert.equal(scene.state.phase, 'mirroring');
  scene.external = new Map([['hook', { kind: 'pass', reason: 'ok' }]]);
  scene.tick();
  assert.deepEqual([scene.state.weight, scene.state.mirrorPercent], [1, 0]);
});

test('nothing begins on a side without a healthy endpoint', () => {
  const scene = started();
  scene.toPlaces = { ...livePlaces, endpoints: 0, healthy: 0 };
  for (let n = 0; n < 10; n++) scene.tick();
  assert.deepEqual([scene.state.phase, scene.state.weight, scene.state.hold?.kind], ['baseline', 0, 'new-side']);
  assert.equal(scene.types().filter((type) => type === 'hold').length, 1);
  scene.toPlaces = livePlaces;
  scene.tick();
  assert.equal(scene.state.weight, 1);
});

test('another leader measures the step from its beginning, and moves nothing by itself', () => {
  const scene = atStep(1);
  for (let n = 0; n < 3; n++) scene.tick();
  scene.crash();
  scene.look();
  assert.deepEqual([scene.state.step, scene.state.weight], [1, 25]);
  assert.equal(scene.types().at(-1), 'leader-changed');
  for (let n = 0; n < 3; n++) scene.tick();
  assert.equal(scene.state.step, 1);
  scene.tick();
  assert.equal(scene.state.step, 2);
});

test('an unknown place of the old side is never safe; somebody may answer for it', () => {
  const scene = atStep(2);
  scene.drain = [drainEndpoint('safe'), drainEndpoint('unknown', '10.0.0.2:80')];
  for (let n = 0; n < 60; n++) scene.tick();
  assert.equal(scene.state.phase, 'draining');
  assert.match(scene.state.hold?.reason ?? '', /not all of the old side is safe after 600 s: 10\.0\.0\.2:80 is unknown/);
  const { next } = statusOf(scene.state, { gates: [], monotonic: 0, blockers: [], leader: '' });
  assert.match(next, /is unknown .*or somebody who has looked finishes it/);
  assert.deepEqual(scene.ask({ type: 'finish', by, reason: 'I looked' }), []);
  assert.equal(scene.state.phase, 'done');
  assert.match(scene.state.events.at(-1)?.message ?? '', /I looked; not known to be safe: 10\.0\.0\.2:80 \(unknown\)/);
});

test('a registry that names the old side no more ends nothing as long as one of its places is in use', () => {
  const scene = atStep(2);
  scene.tickUntil('draining', ({ phase }) => phase === 'draining');
  scene.fromPlaces = { ...livePlaces, endpoints: 0, healthy: 0 };
  scene.drain = [drainEndpoint('in-use')];
  for (let n = 0; n < 5; n++) scene.tick();
  assert.equal(scene.state.phase, 'draining');
  scene.drain = [];
  scene.tick();
  assert.equal(scene.state.phase, 'done');
});

test('it can go back while it drains and when it is done, until the old side is gone', () => {
  const draining = atStep(2);
  draining.tickUntil('draining', ({ phase }) => phase === 'draining');
  assert.deepEqual(draining.ask(rollback), []);
  assert.equal(draining.state.weight, 0);

  const done = atStep(2);
  done.drain = [drainEndpoint('safe')];
  done.tickUntil('done', ({ phase }) => phase === 'done');
  assert.equal(shiftOf(done.state)?.weight, 100);
  const before = done.state;
  assert.deepEqual(done.ask(rollback), []);
  done.tickUntil('back', ({ phase }) => phase === 'rolled-back');

  done.state = before;
  done.fromPlaces = { ...livePlaces, endpoints: 0, healthy: 0 };
  done.memory = undefined;
  done.tick();
  assert.equal(shiftOf(done.state)?.weight, 100);
  done.tick(done.state.spec.drain.bakeMs);
  assert.equal(shiftOf(done.state), undefined);
  assert.match(done.ask(rollback)[0] ?? '', /has no endpoint any more/);
});

test('the native name is switched with its weight and goes back with it; nothing passes before it is', () => {
  const scene = atStep(1, migrationSpec({ nativeName: { registry: 'consul/dc1', atWeight: 25 } }));
  assert.equal(scene.state.nativeName, 'switched');
  for (let n = 0; n < 8; n++) scene.tick();
  assert.equal(scene.state.step, 1);
  scene.nativeName = 'switched';
  scene.tick();
  assert.equal(scene.state.step, 2);
  scene.ask(rollback);
  assert.equal(scene.state.nativeName, 'original');
  for (let n = 0; n < 3; n++) scene.tick();
  assert.equal(scene.state.phase, 'rolling-back');
  scene.nativeName = 'original';
  scene.tick();
  assert.equal(scene.state.phase, 'rolled-back');
});

test('a step that somebody ends keeps the figures that its leader measured', () => {
  const scene = atStep(1);
  scene.tick();
  scene.ask(rollback);
  assert.equal(scene.state.steps.at(-1)?.to.requests, 0);
  scene.tick();
  assert.deepEqual([scene.state.steps.at(-1)?.outcome, scene.state.steps.at(-1)?.gates.length], ['rolled-back', 1]);
  assert.ok((scene.state.steps.at(-1)?.to.requests ?? 0) > 0);
});

test('abort ends where it stands; from there it goes back, and starts again only then', () => {
  const scene = atStep(1);
  assert.deepEqual(scene.ask({ type: 'abort', by }), []);
  assert.deepEqual([scene.state.phase, scene.state.weight], ['aborted', 25]);
  scene.tick();
  assert.match(scene.ask({ type: 'start', by })[0] ?? '', /aborted at 25 %/);
  scene.ask(rollback);
  scene.tickUntil('back', ({ phase }) => phase === 'rolled-back');
  assert.deepEqual(scene.ask({ type: 'start', by }), []);
  assert.deepEqual([scene.state.run, scene.state.step, scene.state.steps.length], [2, -1, 0]);
});

test('what makes no sense is refused with the reason', () => {
  const refused = (scene: MigrationScene, asked: MigrationCommand, why: RegExp) => {
    const before = scene.state;
    assert.match(scene.ask(asked)[0] ?? 'accepted', why);
    assert.equal(scene.state, before);
  };
  const fresh = new MigrationScene();
  refused(fresh, { type: 'pause', by, reason: '' }, /nothing to pause: it is reserved/);
  refused(fresh, { type: 'resume', by }, /not paused/);
  refused(fresh, { type: 'abort', by }, /nothing to abort: it is reserved/);
  refused(fresh, rollback, /nothing to roll back: it is reserved/);
  refused(fresh, { type: 'approve', by, step: 0 }, /it is reserved/);
  refused(fresh, { type: 'finish', by, reason: '' }, /only what drains/);
  const running = started();
  refused(running, { type: 'start', by }, /runs already, and is waiting/);
  running.ask({ type: 'pause', by, reason: 'lunch' });
  refused(running, { type: 'pause', by, reason: '' }, /paused already, by ann/);
  running.ask(rollback);
  refused(running, rollback, /going back already/);
  refused(running, { type: 'abort', by }, /it is going back/);
});

test('of the same service the one that runs counts; a new one takes the place of an ended one only where no traffic moves by that', () => {
  const done = atStep(2);
  done.drain = [drainEndpoint('safe')];
  done.tickUntil('done', ({ phase }) => phase === 'done');
  const { from, to } = done.state.spec;
  const later = (spec: MigrationSpec) => reserve(spec, { ...of, name: 'later' }, done.now);
  const wayBack = later(migrationSpec({ from: to, to: from }));
  const again = later(migrationSpec());
  assert.deepEqual(
    inForce([wayBack, done.state]).map(({ name }) => name),
    ['later'],
  );
  assert.deepEqual(
    inForce([again, done.state]).map(({ name }) => name),
    ['reviews'],
  );
  const running = atStep(1);
  assert.deepEqual(
    inForce([running.state, wayBack]).map(({ name }) => name),
    ['reviews'],
  );
});

test('status says the step, the weights asked for and measured, what is left of it and what comes next', () => {
  const scene = atStep(1);
  scene.pass(30_000);
  const status = statusOf(scene.state, {
    ...(scene.memory === undefined ? {} : { memory: scene.memory }),
    observation: scene.observation(),
    gates: scene.memory?.gates ?? [],
    monotonic: scene.monotonic,
    blockers: [],
    leader: 'a',
    spec: migrationSpec({ confidence: 0.9 }),
  });
  assert.deepEqual([status.to.weight, status.to.measured, status.from.weight, status.from.measured], [25, 25, 75, 75]);
  assert.deepEqual([status.to.requests, status.remainingMs, status.specChanged], [750, 30_000, true]);
  assert.match(status.next, /in 30 s: step 3 of 3, 100 %/);
  assert.equal(status.from.side, 'east/consul/dc1');
  assert.equal(noCounts.requests, 0);
});
