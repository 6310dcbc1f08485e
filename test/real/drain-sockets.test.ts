import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { DrainEndpoint } from '../../core/admin/index.ts';
import { host } from '../support/agent-plane.ts';
import { temporaryDir } from '../support/control-plane.ts';
import { onEnd } from '../support/on-end.ts';
import { until } from '../support/until.ts';
import { startAgentProcess, startCaller, startProgram, startWatchingControl } from './drain/scene.ts';
import { createNetwork } from './servers/index.ts';

const scene = { appPort: 8080, inboundPort: 15_006, bakeMs: 3_000 };
const webPort = 9_000;

test('an old endpoint is safe to turn off after a bake time without callers from outside the mesh, as an agent on its machine sees them', async (t) => {
  const network = await createNetwork({ sites: { one: ['vm', 'batch'] } });
  onEnd(t, () => network.remove());
  const vm = network.host('one', 'vm');
  const batch = network.host('one', 'batch');
  const dir = await temporaryDir(t);
  const control = await startWatchingControl(vm.netns, { ...scene, address: vm.address, callerAddress: batch.address });
  onEnd(t, () => control.stop());
  const app = startProgram(vm.netns, ['-e', `require("net").createServer(c=>c.on("error",()=>{})).listen(${scene.appPort},"0.0.0.0")`]);
  onEnd(t, () => app.kill9());

  const common = { address: vm.address, inbound: { address: '0.0.0.0', port: scene.inboundPort } };
  const services = [{ namespace: 'shop', name: 'orders', port: 8080, protocol: 'tcp', appPort: scene.appPort }];
  const orders = { ...common, stateDir: join(dir, 'orders'), token: control.tokens.orders, instance: 'vm-orders', services };
  let agent = startAgentProcess(vm.netns, orders);
  onEnd(t, () => agent.kill9());
  const outbound = { loopbackAddresses: false, explicit: { [`${host('orders')}:8080`]: webPort } };
  const inbound = { address: '127.0.0.1', port: 0 };
  const web = startAgentProcess(vm.netns, {
    ...common,
    inbound,
    outbound,
    stateDir: join(dir, 'web'),
    token: control.tokens.web,
    instance: 'vm-web',
  });
  onEnd(t, () => web.kill9());

  const all = (verdict: DrainEndpoint['verdict']) => () => {
    const places = control.drain();
    return places.length === 2 && places.every((place) => place.verdict === verdict) ? places : undefined;
  };
  await until('the agent to look', all('quiet'), 60_000);
  const callers = () => control.drain().map((place) => place.callers);

  const meshCaller = startCaller(vm.netns, '127.0.0.1', webPort);
  onEnd(t, () => meshCaller.kill9());
  await until('a connection by the mesh', () => control.drain().every((place) => place.meshStreams === 1));
  assert.deepEqual(callers(), [[], []], 'which is nobody from outside');

  const raw = startCaller(batch.netns, vm.address, scene.appPort);
  onEnd(t, () => raw.kill9());
  const [used] = await until('a caller that knows the address', all('in-use'));
  const expected = [{ address: batch.address, name: 'shop/batch (batch-1)', connections: 1 }];
  assert.deepEqual(callers(), [expected, expected]);
  assert.deepEqual([used?.since, used?.meshStreams], [null, 1]);

  control.history();
  await raw.kill9();
  const [safe] = await until('the bake to be over', all('safe'), 60_000);
  assert.deepEqual(control.history(), ['in-use', 'quiet', 'safe'], 'not at once');
  assert.match(safe?.reason ?? '', /no connection from outside the mesh for \d+ s/);
  assert.equal(safe?.meshStreams, 1, 'the mesh may still be there');

  await agent.kill9();
  const blind = () => control.drain().find(({ instance, verdict }) => instance === 'shop~orders~vm-orders' && verdict === 'unknown');
  assert.match((await until('the agent to be missed', blind, 60_000)).reason, /has said nothing of its connections for \d+ s/);
  assert.equal(control.drain()[0]?.verdict, 'safe', 'another agent of the machine sees the port as well');
  await web.kill9();
  await until('nobody to see it', all('unknown'), 60_000);
  assert.deepEqual(control.history(), ['safe', 'unknown']);

  agent = startAgentProcess(vm.netns, orders);
  await until('the new start to have baked', all('safe'), 60_000);
  assert.deepEqual(control.history(), ['unknown', 'quiet', 'safe'], 'from the beginning');
});
