import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '../support/until.ts';
import { answered, calls, joinMachine, startGrpcClient, startGrpcServer } from './proxyless/site.ts';
import { type ControlHost, startControl, startGateway } from './scenario/isthmus-process.ts';
import { createNetwork, endInReverse, type Host, type Network } from './servers/index.ts';

const trustDomain = 'proxyless.test';

const config = (cluster: string, host: Host) => `apiVersion: isthmus.dev/v1alpha1
kind: Mesh
metadata: {name: ${cluster}}
spec:
  cluster: ${cluster}
  trustDomain: ${trustDomain}
  network: ${cluster}
  stateDir: "{state}"
  grpc: {listen: "0.0.0.0:15012", advertise: ["${host.address}:15012"]}
  api: {listen: "127.0.0.1:15014"}
${cluster === 'east' ? '  identity: {rootDir: "{root}"}\n' : ''}---
apiVersion: isthmus.dev/v1alpha1
kind: ExportPolicy
metadata: {name: everything, namespace: "*"}
spec: {services: ["*/*"], audience: ["*"]}
`;

async function control(network: Network, cluster: 'east' | 'west'): Promise<ControlHost> {
  const host = network.host(cluster, 'control');
  return startControl(host, config(cluster, host), cluster === 'east' ? trustDomain : undefined);
}

test('across clusters: a proxyless client calls a proxyless server of another network through its gateway', {
  timeout: 400_000,
}, async (t) => {
  const ending = endInReverse(t);
  const network = await createNetwork({ sites: { east: ['control', 'web'], west: ['control', 'gateway', 'orders'] } });
  ending(() => network.remove());
  const east = await control(network, 'east');
  ending(() => east.process.stop());
  const west = await control(network, 'west');
  ending(() => west.process.stop());
  await west.run('peer', 'join', await east.run('peer', 'invite'));
  await until('both peers', async () => (await east.status()).peers.some((p) => p.state === 'connected'), 60_000);
  const gateway = await startGateway(network.host('west', 'gateway'), west);
  ending(() => gateway.process.stop());

  const orders = await joinMachine(network.host('west', 'orders'), west, { identity: 'shop/orders', serves: true });
  ending(() => orders.agent.stop());
  const web = await joinMachine(network.host('east', 'web'), east, { identity: 'shop/web' });
  ending(() => web.agent.stop());
  for (const machine of [orders, web]) {
    await until('anchors of both clusters', async () => {
      const names = await readdir(join(machine.stateDir, 'certificates'));
      return ['anchor-east.pem', 'anchor-west.pem'].every((name) => names.includes(name));
    });
  }
  const server = await startGrpcServer(orders);
  ending(() => server.stop());
  await until('the server serves', async () => (await server.ask('/')) === 'serving');
  const target = 'xds:///outbound_.8080_._.orders.shop.mesh.internal';
  const bootstrap = await web.bootstrap('--cluster', 'east', '--instance', 'web.narrow');
  const narrow = await startGrpcClient(web, () => bootstrap);
  ending(() => narrow.stop());
  const unsent = calls(narrow, 1, { target, deadline: 8_000 });
  const conflict = await until('status says what its bootstrap lacks', async () =>
    (await east.status()).conflicts.find((c) => c.kind === 'NoAnchor' && c.subject === 'web.narrow'),
  );
  assert.match(conflict.message, /no anchor of west/);
  const [nobody] = await unsent;
  assert.ok(nobody !== undefined && 'error' in nobody);
  await narrow.stop();

  const client = await startGrpcClient(web);
  ending(() => client.stop());

  await until('a call through the gateway', async () => answered(await calls(client, 3, { target })).join() === orders.host.name, 60_000);
  const [outcome] = await calls(client, 1, { target });
  assert.ok(outcome !== undefined && 'ok' in outcome);
  assert.match(outcome.ok.caller, /URI:spiffe:\/\/proxyless\.test\/ns\/shop\/sa\/web, DNS:east\.cluster\.proxyless\.test/);
  // What is named HOST:PORT is never sent over gateways: its SNI would lead nowhere.
  const [direct] = await calls(client, 1, { deadline: 5_000 });
  assert.ok(direct !== undefined && 'error' in direct);
});
