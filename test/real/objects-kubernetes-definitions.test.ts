import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '../support/repository-root.ts';
import { until } from '../support/until.ts';
import { Cluster } from './objects-kubernetes/cluster.ts';
import { config, holds } from './objects-kubernetes/control.ts';
import { startControl } from './scenario/isthmus-process.ts';
import { createNetwork, endInReverse, startKubernetes } from './servers/index.ts';

const definition = 'virtualservices.networking.istio.io';

const virtualService = (name: string, finalizers = '') => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: default${finalizers}}
spec:
  hosts: [${name}]
  http: [{directResponse: {status: 418}}]
`;

const destinationRule = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: orders, namespace: default}
spec: {host: orders}
`;

test('a definition that is removed while it is watched takes its objects along and no others; it may come back; a Registry without objects has none', {
  timeout: 300_000,
}, async (t) => {
  const ending = endInReverse(t);
  const network = await createNetwork({ sites: { hub: ['control'] } });
  ending(() => network.remove());
  const hub = network.host('hub', 'control');
  const kubernetes = await startKubernetes({ netns: hub.netns });
  ending(() => kubernetes.stop());
  const cluster = new Cluster(kubernetes, hub);
  await cluster.install('istio');
  await cluster.apply(await readFile(`${repositoryRoot}deploy/kubernetes/rbac.yaml`, 'utf8'));
  const before = [virtualService('orders'), virtualService('slow', ', finalizers: [example.com/held]'), destinationRule];
  await cluster.apply(before.join('---\n'));
  const text = config(hub, await cluster.kubeconfigOf('isthmus-control'));
  const control = await startControl(hub, text, 'objects.test');
  ending(() => control.process.stop());
  await holds(control, ['VirtualService default/orders', 'VirtualService default/slow', 'DestinationRule default/orders']);
  const unread = async () => (await control.status()).conflicts.filter((c) => c.kind === 'ObjectsUnread');

  await t.test('what a finalizer holds is in force for as long as the API server has it', async () => {
    await cluster.kubectl(['delete', 'crd', definition, '--wait=false']);
    await holds(control, ['VirtualService default/slow', 'DestinationRule default/orders']);
    assert.match(await cluster.kubectl(['get', 'virtualservices', '--output', 'name']), /slow/, 'it waits there too');
    const release = ['patch', 'virtualservice', 'slow', '--type=merge', '--patch', '{"metadata":{"finalizers":null}}'];
    await cluster.kubectl(release);
    await holds(control, ['DestinationRule default/orders']);
    await cluster.kubectl(['wait', '--for=delete', `crd/${definition}`, '--timeout=60s']);
    await until('nothing is missed', async () => (await unread()).length === 0, 60_000);
  });

  await t.test('it comes back, and goes at once where nothing is held', async () => {
    await cluster.install('istio');
    await cluster.apply(virtualService('orders'));
    await holds(control, ['VirtualService default/orders', 'DestinationRule default/orders']);
    await cluster.kubectl(['delete', 'crd', definition]);
    await holds(control, ['DestinationRule default/orders']);
  });

  await t.test('without `objects` what came from there goes when the configuration is read again', async () => {
    const file = join(control.process.folder, 'isthmus.yaml');
    const running = await readFile(file, 'utf8');
    await writeFile(file, running.replace('objects: true, ', ''));
    process.kill(control.process.pid, 'SIGHUP');
    await holds(control, []);
    await writeFile(file, running);
    process.kill(control.process.pid, 'SIGHUP');
    await holds(control, ['DestinationRule default/orders']);
  });
});
