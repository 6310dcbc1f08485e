import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../support/until.ts';
import { startMesh } from './proxyless/mesh.ts';
import { answered, calls, joinMachine, startGrpcClient, startGrpcServer } from './proxyless/site.ts';
import { endInReverse } from './servers/index.ts';

test('client and server of grpc-js-xds: mTLS by SPIFFE identity both ways, through our xDS', { timeout: 300_000 }, async (t) => {
  const ending = endInReverse(t);
  const mesh = await startMesh(ending, ['orders1', 'orders2', 'web']);
  const { control, host } = mesh;
  await mesh.orders([{ host: host('orders1') }]);
  const join = async (name: string, identity: string) => {
    const machine = await joinMachine(host(name), control, identity);
    ending(() => machine.agent.stop());
    return machine;
  };
  const [orders1, orders2, web] = [
    await join('orders1', 'shop/orders'),
    await join('orders2', 'shop/orders'),
    await join('web', 'shop/web'),
  ];
  for (const machine of [orders1, orders2]) {
    const server = await startGrpcServer(machine);
    ending(() => server.stop());
    await until(`${machine.host.name} serves`, async () => (await server.ask('/')) === 'serving');
  }
  const client = await startGrpcClient(web);
  ending(() => client.stop());

  await t.test('both see whom they talk to', async () => {
    const [outcome] = await until('a call', async () => {
      const outcomes = await calls(client, 1);
      answered(outcomes);
      return outcomes;
    });
    assert.ok(outcome !== undefined && 'ok' in outcome);
    assert.equal(outcome.ok.server, 'orders1');
    assert.match(outcome.ok.caller, /URI:spiffe:\/\/proxyless\.test\/ns\/shop\/sa\/web/);
  });

  await t.test('a change of endpoints moves the calls', async () => {
    await mesh.orders([{ host: host('orders2') }]);
    await until('calls go to the other one', async () => answered(await calls(client, 5)).join() === 'orders2');
  });
});
