import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '../support/repository-root.ts';
import { until } from '../support/until.ts';
import { Cluster } from './objects-kubernetes/cluster.ts';
import { config, holds, objectsIn } from './objects-kubernetes/control.ts';
import { call, meshDns, onVm } from './scenario/calls.ts';
import { joinVm, startApp, startControl } from './scenario/isthmus-process.ts';
import { createNetwork, endInReverse, startKubernetes } from './servers/index.ts';

/** What every request to orders is answered. */
const answering = (status: string) => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: orders, namespace: shop}
spec:
  hosts: [orders]
  http: [{directResponse: {status: ${status}}}]
`;

const gateway = (name: string, className: string) => `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: ${name}, namespace: shop}
spec:
  gatewayClassName: ${className}
  listeners: [{name: http, port: 80, protocol: HTTP}]
`;

const httpRoute = (name: string, parent: string) => `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ${name}, namespace: shop}
spec:
  parentRefs: [{name: ${parent}}]
  rules: [{backendRefs: [{name: orders, port: 80}]}]
`;

test('custom resources of a Kubernetes rule over traffic, survive what goes wrong, and leave other implementations alone', {
  timeout: 600_000,
}, async (t) => {
  const ending = endInReverse(t);
  const network = await createNetwork({ sites: { hub: ['control'], edge: ['vm1', 'vm2'] } });
  ending(() => network.remove());
  const hub = network.host('hub', 'control');
  const [vm1, vm2] = [network.host('edge', 'vm1'), network.host('edge', 'vm2')];
  const kubernetes = await startKubernetes({ netns: hub.netns });
  ending(() => kubernetes.stop());
  const cluster = new Cluster(kubernetes, hub);
  await cluster.install('istio');
  await cluster.apply(await readFile(`${repositoryRoot}deploy/kubernetes/rbac.yaml`, 'utf8'));
  const control = await startControl(hub, config(hub, await cluster.kubeconfigOf('isthmus-control')), 'objects.test');
  ending(() => control.process.stop());
  const app = await startApp(vm1, 'orders', '127.0.0.1', 8080);
  ending(() => app.stop());
  const web = await startApp(vm2, 'web', '127.0.0.1', 8080);
  ending(() => web.stop());
  const agent = await joinVm(vm1, control, { service: 'shop/orders', port: 80, appPort: 8080, flags: ['--protocol', 'http'] });
  ending(() => agent.stop());
  const caller = await joinVm(vm2, control, { service: 'shop/web', port: 80, appPort: 8080 });
  ending(() => caller.stop());
  const { found } = await until('orders answers', () => call(vm2, onVm, meshDns('orders')));
  const answers = (status: number) =>
    until(
      `orders answers ${status}`,
      async () => {
        const reply = await vm2.reach.request({ url: `http://${found}/` });
        assert.equal(reply.status, status);
        return true;
      },
      60_000,
    );

  await t.test('created, changed and deleted with kubectl', async () => {
    await cluster.kubectl(['create', 'namespace', 'shop']);
    await cluster.apply(answering('418'));
    await answers(418);
    const [object] = await holds(control, ['VirtualService shop/orders']);
    assert.deepEqual(object?.owner, { cluster: 'east', source: 'kubernetes/west' });
    assert.equal(Date.now() - Date.parse(object?.createdAt ?? '') < 300_000, true, 'as old as Kubernetes says');
    const yaml = await control.run('get', 'vs', 'shop/orders', '--output', 'yaml');
    assert.doesNotMatch(yaml, /managedFields|resourceVersion|last-applied/);
    await cluster.apply(answering('410'));
    await answers(410);
    await cluster.kubectl(['delete', 'virtualservice', '--namespace', 'shop', 'orders']);
    await answers(200);
    await holds(control, []);
  });

  await t.test('read-only here: apply and delete say where it is owned', async () => {
    await cluster.apply(answering('418'));
    await answers(418);
    const file = join(control.process.folder, 'orders.yaml');
    await writeFile(file, answering('500'));
    const applied = await control.tryRun('apply', '-f', file);
    assert.notEqual(applied.code, 0);
    assert.match(applied.stderr, /belongs to Kubernetes \(registry kubernetes\/west\): change it there, with kubectl/);
    const deleted = await control.tryRun('delete', 'vs', 'shop/orders');
    assert.match(deleted.stderr, /belongs to Kubernetes/);
    await answers(418);
  });

  await t.test('a version that cannot be used: the last good one stays, and status says so', async () => {
    await cluster.kubectl(['label', 'virtualservice', 'orders', '--namespace', 'shop', 'team=orders']);
    await cluster.apply(answering('418').replace('hosts: [orders]', 'hosts: [orders, "a.*.b"]'));
    await until('it is refused', async () => {
      const { conflicts } = await control.status();
      return conflicts.find((c) => c.kind === 'ObjectRefused' && c.subject === 'VirtualService shop/orders' && /hosts/.test(c.message));
    });
    await holds(control, ['VirtualService shop/orders', 'VirtualService shop/orders!']);
    await answers(418);
    await control.process.kill9();
    await control.process.restart();
    await until('it is refused again', async () => (await control.status()).conflicts.some((c) => c.kind === 'ObjectRefused'));
    await answers(418);
    await cluster.apply(answering('410'));
    await answers(410);
    await holds(control, ['VirtualService shop/orders']);
  });

  await t.test('labelled for another control plane: not read', async () => {
    await cluster.kubectl(['label', 'virtualservice', 'orders', '--namespace', 'shop', 'istio.io/rev=1-29']);
    await answers(200);
    await cluster.kubectl(['label', 'virtualservice', 'orders', '--namespace', 'shop', 'istio.io/rev=isthmus', '--overwrite']);
    await answers(410);
  });

  await t.test('a definition that is installed later is followed; Gateways of other classes and their routes are left alone', async () => {
    await cluster.install('gateway-api');
    const documents = [gateway('mine', 'isthmus'), gateway('theirs', 'other'), httpRoute('in', 'mine'), httpRoute('out', 'theirs')];
    await cluster.apply(documents.join('---\n'));
    await holds(control, ['VirtualService shop/orders', 'Gateway shop/mine', 'HTTPRoute shop/in']);
    assert.deepEqual(
      (await control.status()).conflicts.filter((c) => c.kind.startsWith('Object')),
      [],
    );
    await cluster.kubectl(['delete', 'gateway.gateway.networking.k8s.io', 'theirs', '--namespace', 'shop']);
    await cluster.apply(gateway('theirs', 'isthmus'));
    await holds(control, [
      'VirtualService shop/orders',
      'Gateway shop/mine',
      'Gateway shop/theirs',
      'HTTPRoute shop/in',
      'HTTPRoute shop/out',
    ]);
    await cluster.kubectl(['delete', 'gateways.gateway.networking.k8s.io,httproutes', '--all', '--namespace', 'shop']);
    await holds(control, ['VirtualService shop/orders']);
  });

  await t.test(
    'started again while the API server is down: the rules of before are in force, and caught up with when it is back',
    async () => {
      await kubernetes.apiserver.terminate();
      await until('the loss is seen', async () => (await control.status()).conflicts.some((c) => c.kind === 'ObjectsUnread'), 60_000);
      await holds(control, ['VirtualService shop/orders']);
      await control.process.kill9();
      await caller.restart();
      await control.process.restart();
      await holds(control, ['VirtualService shop/orders']);
      await answers(410);
      await kubernetes.apiserver.restart();
      await cluster.apply(answering('418'));
      await answers(418);
      await until('all is read', async () => (await control.status()).conflicts.every((c) => c.kind !== 'ObjectsUnread'), 60_000);
      await control.process.kill9();
      await cluster.kubectl(['delete', 'virtualservice', '--namespace', 'shop', 'orders']);
      await control.process.restart();
      await answers(200);
      await holds(control, []);
    },
  );

  await t.test('every field that is supported, as the API server stores it with its defaults, is taken', async () => {
    await cluster.install('mcs-api');
    await cluster.apply(await readFile(`${repositoryRoot}deploy/kubernetes/crds.yaml`, 'utf8'));
    const corpus = await Promise.all(
      ['istio', 'gateway-api', 'own'].map((name) => readFile(`${repositoryRoot}test/samples/corpus/${name}/every-field.yaml`, 'utf8')),
    );
    const before = await cluster.applyAll(corpus.join('---\n'));
    await until('all are read', async () => (await objectsIn(control)).length >= before);
    const objects = await objectsIn(control);
    assert.deepEqual(
      objects.filter((o) => !o.inForce).map((o) => `${o.kind} ${o.name}: ${o.findings.map((f) => `${f.path} ${f.message}`).join()}`),
      [],
    );
  });
});
