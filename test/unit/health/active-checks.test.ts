import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { HealthCheck } from '../../../core/traffic/index.ts';
import type { ClusterTable } from '../../../gateway/engine/index.ts';
import { ActiveChecks } from '../../../gateway/health/active/active-checks.ts';
import { type CheckResult, initialCheck, stepCheck } from '../../../gateway/health/active/check-state.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { endpoint, table } from '../balance/scene.ts';

const check: HealthCheck = {
  type: 'http',
  path: '/ready',
  expectedStatuses: [],
  service: '',
  intervalMs: 1_000,
  timeoutMs: 500,
  healthyThreshold: 2,
  unhealthyThreshold: 3,
};

const after = (...results: CheckResult[]) => results.reduce((state, each) => stepCheck(state, each, check), initialCheck).health;

describe('one endpoint', () => {
  test('the first check decides alone', () => {
    assert.equal(initialCheck.health, 'untold');
    assert.equal(after('good'), 'healthy');
    assert.equal(after('failed'), 'unhealthy');
  });

  test('no answer takes its threshold in a row, a bad answer none', () => {
    assert.equal(after('good', 'failed', 'failed'), 'healthy');
    assert.equal(after('good', 'failed', 'failed', 'failed'), 'unhealthy');
    assert.equal(after('good', 'failed', 'failed', 'good', 'failed', 'failed'), 'healthy');
    assert.equal(after('good', 'bad'), 'unhealthy');
  });

  test('coming back takes its own threshold in a row', () => {
    assert.equal(after('bad', 'good'), 'unhealthy');
    assert.equal(after('bad', 'good', 'good'), 'healthy');
    assert.equal(after('bad', 'good', 'failed', 'good'), 'unhealthy');
  });
});

/** `results`: by port; every check is answered at once. */
function scene(results: Record<number, CheckResult>) {
  const clock = new ManualClock();
  const asked: number[] = [];
  let changes = 0;
  const checks = new ActiveChecks({
    clock,
    random: () => 0.5,
    perform: async (_cluster, { port }) => {
      asked.push(port);
      return results[port] ?? 'good';
    },
    onChange: () => {
      changes += 1;
    },
  });
  const use = (cluster: ClusterTable) => checks.keepOnly(new Map([[cluster.name, cluster]]));
  const advance = async (ms: number) => {
    for (let left = ms; left > 0; left -= 50) {
      clock.advance(50);
      for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { checks, asked, use, advance, changes: () => changes };
}

describe('the endpoints of a cluster', () => {
  test('who fails is named until he passes again; who stays keeps what is known of him', async () => {
    const results: Record<number, CheckResult> = { 1: 'good', 2: 'bad' };
    const { checks, use, advance, changes } = scene(results);
    const [one, two] = [endpoint(1), endpoint(2)];
    use(table([one, two], { traffic: { healthCheck: check } }));
    assert.deepEqual([...checks.failing], [], 'nothing is known yet, and nobody is suspected');
    await advance(1_000);
    assert.deepEqual([...checks.failing], ['c 10.0.0.1:2']);
    use(table([two, { ...one }], { traffic: { healthCheck: { ...check, path: '/other' } } }));
    assert.deepEqual([...checks.failing], ['c 10.0.0.1:2']);
    results[2] = 'good';
    await advance(2_500);
    assert.deepEqual([...checks.failing], []);
    assert.equal(changes(), 2);
    checks.dispose();
  });

  test('nobody is asked who takes no traffic, of a cluster without a check, or who is gone', async () => {
    const { checks, asked, use, advance } = scene({});
    use(table([endpoint(1), endpoint(2, { draining: true }), endpoint(3, { weight: 0 })], { traffic: { healthCheck: check } }));
    await advance(1_000);
    assert.deepEqual(asked, [1]);
    use(table([endpoint(1)]));
    await advance(5_000);
    assert.deepEqual(asked, [1]);
    checks.dispose();
  });

  test('no more than 64 at once, and all have their turn', async () => {
    const clock = new ManualClock();
    const answers: (() => void)[] = [];
    let most = 0;
    let now = 0;
    const checks = new ActiveChecks({
      clock,
      random: () => 0,
      perform: () =>
        new Promise((resolve) => {
          now += 1;
          most = Math.max(most, now);
          answers.push(() => {
            now -= 1;
            resolve('good');
          });
        }),
      onChange: () => {},
    });
    const endpoints = Array.from({ length: 200 }, (_, i) => endpoint(i + 1));
    const cluster = table(endpoints, { traffic: { healthCheck: { ...check, intervalMs: 3_600_000 } } });
    checks.keepOnly(new Map([['c', cluster]]));
    let answered = 0;
    while (answered < 200) {
      clock.advance(50);
      await new Promise((resolve) => setImmediate(resolve));
      for (const answer of answers.splice(0)) {
        answered += 1;
        answer();
      }
    }
    assert.equal(most, 64);
    checks.dispose();
  });
});
