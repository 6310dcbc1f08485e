import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { OutlierDetection } from '../../../core/traffic/index.ts';
import type { EndpointAttempt } from '../../../gateway/engine/index.ts';
import { emptyRecord, successRateOutliers } from '../../../gateway/health/outlier-policy.ts';
import { PolicyOutliers } from '../../../gateway/health/policy-outliers.ts';
import type { EndpointState } from '../../../gateway/state/index.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { endpoint, table } from '../balance/scene.ts';

const policy: OutlierDetection = {
  consecutive5xx: 5,
  consecutiveGatewayErrors: 0,
  consecutiveLocalOriginFailures: 0,
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  maxEjectionPercent: 50,
  minHealthPercent: 0,
};

function scene(more: Partial<OutlierDetection> = {}, endpoints: readonly EndpointState[] = [1, 2, 3, 4].map((port) => endpoint(port))) {
  const clock = new ManualClock();
  const outliers = new PolicyOutliers(clock, () => {});
  const cluster = table(endpoints, { traffic: { outlier: { ...policy, ...more } } });
  outliers.keepOnly(new Map([['c', cluster]]));
  const at = (port: number) => endpoints.find((each) => each.port === port) ?? endpoint(port);
  return {
    outliers,
    answer: (port: number, ...statuses: number[]) => {
      for (const status of statuses) outliers.answered('c', at(port), status);
    },
    attempt: (port: number, ...results: EndpointAttempt['result'][]) => {
      for (const result of results) outliers.record({ clusterName: 'c', endpoint: at(port), result });
    },
    ejected: () => outliers.ejected.flatMap((keys) => [...keys]),
    /** In steps, as time goes: who sleeps is woken at each. */
    advance: async (ms: number) => {
      for (let left = ms; left > 0; left -= 1_000) {
        clock.advance(Math.min(1_000, left));
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

describe('outlier detection by policy', () => {
  test('five 5xx in a row; one good answer in between begins anew, a connection that stood does not', () => {
    const { answer, attempt, ejected, outliers } = scene();
    answer(1, 500, 503, 500, 404, 500, 500, 500, 500);
    attempt(1, 'ok');
    assert.deepEqual(ejected(), []);
    answer(1, 500);
    assert.deepEqual(ejected(), ['c 10.0.0.1:1']);
    outliers.dispose();
  });

  test('gateway errors are 502 to 504 and failures; 500 ends their row', () => {
    const { answer, attempt, ejected, outliers } = scene({ consecutive5xx: 0, consecutiveGatewayErrors: 3 });
    answer(1, 500, 500, 500, 502, 503, 500, 504, 503);
    assert.deepEqual(ejected(), []);
    attempt(1, 'connect');
    assert.deepEqual(ejected(), ['c 10.0.0.1:1']);
    outliers.dispose();
  });

  test('failures before an answer have a row of their own, which any answer ends', () => {
    const { answer, attempt, ejected, outliers } = scene({ consecutive5xx: 0, consecutiveLocalOriginFailures: 2 });
    attempt(1, 'early-close');
    answer(1, 503);
    attempt(1, 'connect', 'aborted', 'ok', 'tls');
    assert.deepEqual(ejected(), []);
    attempt(1, 'connect');
    assert.deepEqual(ejected(), ['c 10.0.0.1:1']);
    outliers.dispose();
  });

  test('each ejection is longer by the base, up to the maximum; quiet intervals are credited', async () => {
    const { answer, ejected, advance, outliers } = scene({ maxEjectionMs: 60_000, intervalMs: 10_000 });
    const fail = () => answer(1, 500, 500, 500, 500, 500);
    for (const spanMs of [30_000, 60_000, 60_000]) {
      fail();
      await advance(spanMs - 1_000);
      assert.equal(ejected().length, 1, `${spanMs}`);
      await advance(2_000);
      assert.equal(ejected().length, 0, `${spanMs}`);
    }
    await advance(60_000);
    fail();
    await advance(32_000);
    assert.equal(ejected().length, 0, 'as if for the first time');
    outliers.dispose();
  });

  test('no more than half of the hosts; the first always', () => {
    const half = scene();
    for (const port of [1, 2, 3, 4]) half.answer(port, 500, 500, 500, 500, 500);
    assert.deepEqual(half.ejected(), ['c 10.0.0.1:1', 'c 10.0.0.1:2']);
    half.outliers.dispose();
    const three = scene(
      {},
      [1, 2, 3].map((port) => endpoint(port)),
    );
    for (const port of [1, 2]) three.answer(port, 500, 500, 500, 500, 500);
    assert.deepEqual(three.ejected(), ['c 10.0.0.1:1'], 'two of three are more than half');
    three.outliers.dispose();
    const none = scene({ maxEjectionPercent: 0 });
    for (const port of [1, 2]) none.answer(port, 500, 500, 500, 500, 500);
    assert.deepEqual(none.ejected(), ['c 10.0.0.1:1']);
    none.outliers.dispose();
  });

  test("a gateway is ejected for its own refusals, never for its backends' answers or breaks", () => {
    const { answer, attempt, ejected, outliers } = scene({ consecutive5xx: 2 }, [endpoint(1, { viaGateway: true })]);
    answer(1, 500, 500, 503);
    attempt(1, 'early-close', 'tls', 'local-origin');
    assert.deepEqual(ejected(), []);
    attempt(1, 'connect', 'connect');
    assert.deepEqual(ejected(), ['gateway 10.0.0.1:1']);
    outliers.dispose();
  });

  test('success rate: who is far below the others, after an interval', async () => {
    const successRate = { minimumHosts: 3, requestVolume: 100, stdevFactor: 1.5 };
    const { answer, ejected, advance, outliers } = scene({ consecutive5xx: 0, successRate });
    for (const port of [1, 2, 3, 4]) for (let i = 0; i < 100; i++) answer(port, i % 2 === 0 && port === 1 ? 500 : 200);
    await advance(9_000);
    assert.deepEqual(ejected(), []);
    await advance(2_000);
    assert.deepEqual(ejected(), ['c 10.0.0.1:1']);
    outliers.dispose();
  });

  test('what is gone, or has no policy any more, is forgotten', () => {
    const { answer, ejected, outliers } = scene();
    answer(1, 500, 500, 500, 500, 500);
    outliers.keepOnly(new Map([['c', table([endpoint(2)], { traffic: { outlier: policy } })]]));
    assert.deepEqual(ejected(), []);
    outliers.keepOnly(new Map([['c', table([endpoint(2)])]]));
    assert.equal(outliers.record({ clusterName: 'c', endpoint: endpoint(2), result: 'connect' }), false);
    outliers.dispose();
  });
});

test('the arithmetic of success rates: volume, number of hosts, mean less factor times deviation', () => {
  const records = (...rates: number[]) => new Map(rates.map((rate, i) => [i, { ...emptyRecord, total: 100, successes: rate }]));
  const successRate = { minimumHosts: 5, requestVolume: 100, stdevFactor: 1.9 };
  const by = { ...policy, successRate };
  // Mean 90, deviation 20: below 52.
  assert.deepEqual(successRateOutliers(records(100, 100, 100, 100, 50), by), [4]);
  assert.deepEqual(successRateOutliers(records(100, 100, 100, 100, 100), by), []);
  assert.deepEqual(successRateOutliers(records(100, 100, 100, 50), by), [], 'too few hosts');
  const quiet = records(100, 100, 100, 100, 50);
  quiet.set(4, { ...emptyRecord, total: 99, successes: 0 });
  assert.deepEqual(successRateOutliers(quiet, by), [], 'too few requests of one leave too few hosts');
});
