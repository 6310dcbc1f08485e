import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { AgentPlane, agentOptions, host, runTestAgent } from '../../support/agent-plane.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

test('through the two proxies of a call its lone endpoint is asked again by the first alone', async (t) => {
  let hits = 0;
  let bad = 0;
  const app = createServer((request, response) => {
    hits += 1;
    if (hits > bad) response.end('well');
    else request.socket.destroy();
  });
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  onEnd(t, () => {
    app.closeAllConnections();
    app.close();
  });
  const plane = await AgentPlane.start(t);
  const [inbound, port, local] = [await deadPort(), await deadPort(), await deadPort()];
  const options = agentOptions({
    stateDir: await temporaryDir(t),
    token: await plane.token('orders'),
    services: [{ namespace: 'shop', name: 'orders', port, appPort: (app.address() as AddressInfo).port }],
    inbound: { address: '127.0.0.1', port: inbound },
    outbound: { loopbackAddresses: false, explicit: { [`${host('orders')}:${port}`]: local } },
  });
  plane.serve([{ name: 'orders', port, endpoints: [inbound] }]);
  await runTestAgent(t, options);
  const ask = async (method: string) => (await fetch(`http://127.0.0.1:${local}/`, { method })).status;
  await until('an answer', async () => (await ask('GET').catch(() => 0)) === 200);
  const asked = async (method: string, failing: number) => {
    [hits, bad] = [0, failing];
    return [await ask(method), hits];
  };
  // Until no connection to the application is idle: one that was is tried once more beside the rest.
  await asked('GET', 99);
  assert.deepEqual(await asked('GET', 99), [503, 3]);
  assert.deepEqual(await asked('POST', 99), [503, 1]);
  assert.deepEqual(await asked('GET', 1), [200, 2]);
});
