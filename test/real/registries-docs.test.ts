import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFile, mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { parseConfig } from '../../control/config/index.ts';
import type { RegistryObject } from '../../core/config/index.ts';
import { MeshError } from '../../core/errors.ts';
import { silentLog } from '../../core/log.ts';
import { clusterId, sourceId } from '../../core/model/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { createPublisher, createSource } from '../../registries/index.ts';
import { Follower } from '../contract/registries/follower.ts';
import { readBlocks } from '../support/docs-blocks.ts';
import { until } from '../support/until.ts';
import { install, startConsul, startKubernetes, startNomad } from './servers/index.ts';
import { untilMay, untilMayNot } from './servers/rights.ts';

const deps = { id: sourceId('docs/one'), cluster: clusterId('east'), clock: systemClock, random: Math.random, log: silentLog };
const signal = new AbortController().signal;

/** Runs a page's commands as a reader would: in a folder with the page's files, the product on the PATH. */
async function runPage(commands: string, folder: string, product: string, env: Record<string, string>): Promise<void> {
  const binary = (await install(product as 'consul')).binary(product === 'kubernetes' ? 'kubectl' : product);
  const path = `${dirname(binary)}:${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`;
  const child = spawn('bash', ['--norc', '-euo', 'pipefail', '-c', commands], { cwd: folder, env: { ...process.env, PATH: path, ...env } });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  assert.equal(code, 0, said);
}

/** The page's Registry object, from the folder in which its commands were run, pointed at the test's server. */
async function registryOf(page: string, folder: string, url: string): Promise<RegistryObject> {
  const [yaml = ''] = await readBlocks(page, 'yaml');
  const mesh = `apiVersion: isthmus.dev/v1alpha1\nkind: Mesh\nmetadata: {name: east}\nspec: {cluster: east, trustDomain: docs.test, network: east, stateDir: state}\n`;
  const text = `${mesh}---\n${yaml.replace(/url: .*/, `url: ${url}`)}`;
  const parsed = parseConfig([{ file: join(folder, 'isthmus.yaml'), text }]);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  const registry = parsed.value.objects.find((o) => o.kind === 'Registry');
  assert.ok(registry?.kind === 'Registry');
  return registry;
}

test('docs/connect-consul.md: its policies, commands and object, on a Consul with ACLs', async (t) => {
  const consul = await startConsul({ acl: true });
  t.after(() => consul.stop());
  const page = 'docs/connect-consul.md';
  const [read = '', publish = ''] = await readBlocks(page, 'hcl');
  await writeFile(join(consul.folder, 'isthmus-read.hcl'), read);
  await writeFile(join(consul.folder, 'isthmus-publish.hcl'), publish);
  const env = { CONSUL_HTTP_ADDR: consul.url, CONSUL_HTTP_TOKEN: consul.token ?? '' };
  await runPage((await readBlocks(page, 'sh')).join('\n'), consul.folder, 'consul', env);
  assert.equal((await stat(join(consul.folder, 'consul.token'))).mode & 0o777, 0o600);
  const registry = await registryOf(page, consul.folder, consul.url);
  await consul.api('PUT', '/v1/agent/service/register', { Name: 'orders', ID: 'o1', Address: '10.0.0.1', Port: 8080 });
  await consul.api('PUT', '/v1/agent/service/register', { Name: 'unrelated', ID: 'u1', Address: '10.0.0.1', Port: 8081 });
  const source = createSource(registry, deps);
  assert.ok(source !== undefined);
  const follower = new Follower(source);
  try {
    await follower.untilKind('snapshot');
    assert.deepEqual([...follower.state.keys()], ['shop/orders']);
  } finally {
    await follower.stop();
  }
  const publisher = createPublisher({ ...registry, spec: { ...registry.spec, publish: true } }, deps);
  const ports = [{ name: 'http', port: 80, protocol: 'http', gatewayPort: 16_000 }];
  const result = await publisher?.reconcile([{ namespace: 'shop', name: 'payments', ports, gatewayAddresses: ['10.0.0.9'] }], signal);
  assert.deepEqual(result, { written: 1, removed: 0, conflicts: [] });
  assert.equal((await publisher?.removeAll(signal))?.removed, 1);
});

test('docs/connect-nomad.md: its policy, commands and object, on a Nomad with ACLs', async (t) => {
  const nomad = await startNomad({ acl: true });
  t.after(() => nomad.stop());
  const page = 'docs/connect-nomad.md';
  const { folder } = nomad.server;
  const [read = ''] = await readBlocks(page, 'hcl');
  await writeFile(join(folder, 'isthmus-read.hcl'), read);
  await runPage((await readBlocks(page, 'sh')).join('\n'), folder, 'nomad', { NOMAD_ADDR: nomad.url, NOMAD_TOKEN: nomad.token ?? '' });
  assert.equal((await stat(join(folder, 'nomad.token'))).mode & 0o777, 0o600);
  await nomad.run({ job: 'inventory', command: '/bin/sleep', args: ['1d'], tags: ['isthmus.dev/port=8080'] });
  const registry = await registryOf(page, folder, nomad.url);
  const source = createSource(registry, deps);
  assert.ok(source !== undefined && createPublisher({ ...registry, spec: { ...registry.spec, publish: true } }, deps) === undefined);
  const follower = new Follower(source);
  try {
    await until('the task is in the mesh', () => follower.state.has('default/inventory'));
    assert.deepEqual([...follower.state.keys()], ['default/inventory']);
    assert.equal(follower.state.get('default/inventory')?.ports[0]?.port, 8080);
  } finally {
    await follower.stop();
  }
});

test('docs/connect-kubernetes.md: its rights, commands and object, on a real API server', async (t) => {
  const kubernetes = await startKubernetes();
  t.after(() => kubernetes.stop());
  const page = 'docs/connect-kubernetes.md';
  const { folder } = kubernetes.apiserver;
  await mkdir(join(folder, 'deploy/kubernetes'), { recursive: true });
  for (const file of ['rbac.yaml', 'crds.yaml']) await copyFile(`deploy/kubernetes/${file}`, join(folder, 'deploy/kubernetes', file));
  const blocks = await readBlocks(page, 'sh');
  const env = { KUBECONFIG: kubernetes.kubeconfig };
  await runPage(blocks.join('\n'), folder, 'kubernetes', env);
  assert.equal((await stat(join(folder, 'isthmus.kubeconfig'))).mode & 0o777, 0o600);
  const registry = await registryOf(page, folder, kubernetes.url);
  const service = (namespace: string, name: string, selector: object) => {
    const spec = { ...selector, ports: [{ name: 'http-web', port: 80, targetPort: 8080 }] };
    return kubernetes.api.apply({ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec });
  };
  const pod = { namespace: 'shop', name: 'orders-1', labels: { app: 'orders' }, ip: '10.2.0.1', serviceAccount: 'orders' };
  await kubernetes.api.writePod(pod);
  await service('shop', 'orders-v1', { selector: { app: 'orders' } });
  await service('shop', 'unrelated', {});
  await service('default', 'orders', {});
  const source = createSource(registry, deps);
  assert.ok(source !== undefined);
  const follower = new Follower(source);
  try {
    await until('the pod is in the mesh', () => follower.state.get('shop/orders-v1')?.endpoints[0]?.serviceAccount === 'orders');
    assert.deepEqual([...follower.state.keys()], ['shop/orders-v1']);
    assert.equal(follower.state.get('shop/orders-v1')?.ports[0]?.protocol, 'http');
  } finally {
    await follower.stop();
  }
  const publisher = createPublisher({ ...registry, spec: { ...registry.spec, publish: true } }, deps);
  const ports = [{ name: 'http', port: 80, protocol: 'http', gatewayPort: 16_000 }];
  const imported = [{ namespace: 'shop', name: 'payments', ports, gatewayAddresses: ['10.9.0.1'] }];
  const refused = (e: unknown) => e instanceof MeshError && e.code === 'REGISTRY_REFUSED';
  const publishing = { account: 'isthmus-system/isthmus-control', verb: 'create', resource: { name: 'services' } };
  await untilMayNot(kubernetes.api, publishing);
  await assert.rejects(async () => publisher?.reconcile(imported, signal), refused, 'the page took the right to publish away');
  await runPage(blocks[0] ?? '', folder, 'kubernetes', env);
  await untilMay(kubernetes.api, publishing);
  assert.deepEqual(await publisher?.reconcile(imported, signal), { written: 2, removed: 0, conflicts: [] });
  assert.equal((await publisher?.removeAll(signal))?.removed, 2);
});
