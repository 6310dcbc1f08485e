import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EndpointAttempt } from '../../../gateway/engine/index.ts';
import { Outliers } from '../../../gateway/health/outliers.ts';
import type { EndpointState } from '../../../gateway/state/index.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

const direct: EndpointState = {
  address: '10.0.0.1',
  port: 80,
  weight: 1,
  priority: 0,
  cluster: 'east',
  network: 'n',
  locality: '',
  runtime: 'vm',
  instance: '',
  viaGateway: false,
  stale: false,
  draining: false,
};
const gateway = { ...direct, port: 15_443, viaGateway: true };

function outliers() {
  const clock = new ManualClock();
  const made = new Outliers({
    clock,
    random: () => 0.5,
    onChange: () => {},
  });
  const say = (endpoint: EndpointState, ...results: EndpointAttempt['result'][]) => {
    for (const result of results) made.record({ clusterName: 'c', endpoint, result });
  };
  /** Lets what the time has woken run. */
  const advance = async (ms: number) => {
    clock.advance(ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { advance, made, say };
}

describe('outliers', () => {
  test('a refused connection holds an endpoint back, for twice as long at each relapse, until one success', async () => {
    const { advance, made, say } = outliers();
    const key = 'c 10.0.0.1:80';
    for (const spanMs of [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      say(direct, 'connect');
      assert.deepEqual([...made.ejected], [key]);
      await advance(spanMs - 150);
      assert.equal(made.ejected.size, 1, `${spanMs} ms are not over`);
      await advance(300);
      assert.equal(made.ejected.size, 0, `${spanMs} ms are over`);
    }
    say(direct, 'ok', 'connect');
    await advance(650);
    assert.equal(made.ejected.size, 0, 'a success has cleared the record');
    made.dispose();
  });

  test('breaks after the connection stood: three in a row; local-origin at once', () => {
    const { made, say } = outliers();
    say(direct, 'early-close', 'tls', 'ok', 'early-close', 'early-close', 'aborted');
    assert.equal(made.ejected.size, 0);
    say(direct, 'tls');
    assert.equal(made.ejected.size, 1);
    say(direct, 'ok', 'local-origin');
    assert.equal(made.ejected.size, 1);
    made.dispose();
  });

  test("what fails behind a gateway is not the gateway's fault; a gateway that refuses is one thing for all services", () => {
    const { made, say } = outliers();
    for (let i = 0; i < 10; i++) say(gateway, 'early-close', 'tls', 'local-origin');
    assert.equal(made.ejected.size, 0);
    say(gateway, 'connect');
    assert.deepEqual([...made.ejected], ['gateway 10.0.0.1:15443']);
    made.record({ clusterName: 'another', endpoint: gateway, result: 'ok' });
    assert.equal(made.ejected.size, 0);
    made.dispose();
  });

  test('what is gone is forgotten', () => {
    const { made, say } = outliers();
    say(direct, 'connect');
    made.keepOnly(new Map());
    assert.equal(made.ejected.size, 0);
    made.dispose();
  });
});
