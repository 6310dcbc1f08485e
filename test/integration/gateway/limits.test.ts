import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { parseGatewayOptions } from '../../../gateway/main.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';
import { GatewaySite } from './gateway-site.ts';

for (const engine of ['native', 'node'] as const) {
  test(`${engine}: a gateway refuses who is beyond its limits, says so, and takes callers again`, async (t) => {
    const site = await GatewaySite.start(t);
    const { gateway, lines, get } = await site.gateway({ engine, token: await site.token(), maxConnectionsPerSource: 2 });
    const call = async () => {
      const socket = connect(gateway.eastWest);
      onEnd(t, () => void socket.destroy());
      socket.on('error', () => {});
      // Who is refused may hear of that first.
      await Promise.race([once(socket, 'connect'), once(socket, 'close')].map((heard) => heard.catch(() => {})));
      return socket;
    };
    const taken = [await call(), await call()];
    await until('both to be in', () => gateway.status().connections === 2);
    const refused = await call();
    await until('the third to be refused', () => refused.closed);
    const line = await until('a line', () => lines.find((each) => each.startsWith('one source has as many connections open as it may')));
    assert.match(line, /127\.0\.0\.1 has 2 connections open/);
    await until('a count', async () =>
      (await get('/metrics')).body.includes('isthmus_engine_troubles_total{what="too-many-from-source"} 1'),
    );
    assert.ok(taken.every(({ closed }) => !closed));
    taken[0]?.destroy();
    await until('a place', () => gateway.status().connections === 1);
    const next = await call();
    await until('it to be in', () => gateway.status().connections === 2);
    assert.equal(next.closed, false);
  });
}

test('limits are said wrongly, or of an Envoy: all that is wrong is named', () => {
  const given = {
    stateDir: '/tmp/x',
    instance: 'gw',
    network: 'n',
    advertise: ['127.0.0.1'],
    maxConnections: 0,
    maxConnectionsPerSource: 1.5,
  };
  const wrong = parseGatewayOptions({ ...given, proxy: 'envoy' });
  assert.ok(!wrong.ok);
  assert.deepEqual([...new Set(wrong.violations.map(({ path }) => path))].sort(), ['maxConnections', 'maxConnectionsPerSource']);
});
