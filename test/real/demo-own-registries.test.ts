import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { rightsNeeded } from '../../cli/demo/site-config.ts';
import { until } from '../support/until.ts';
import { type RunningNomad, startConsul, startKubernetes, startNomad } from './servers/index.ts';

const main = fileURLToPath(new URL('../../cli/main.js', import.meta.url));
/** What the demonstration prints, without its heading. */
const printed = (type: 'consul' | 'nomad') => rightsNeeded({ type, url: '' }).slice(1).join('\n');

const readOnly = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: demo, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: demo}
rules:
- {apiGroups: [""], resources: [services, pods, nodes], verbs: [get, list, watch]}
- {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [get, list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: demo}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: demo}
subjects: [{kind: ServiceAccount, name: demo, namespace: default}]
---
apiVersion: v1
kind: Service
metadata: {name: pay, namespace: default}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: pay-1, namespace: default, labels: {kubernetes.io/service-name: pay}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [192.0.2.1], conditions: {ready: true}}]
`;

test('isthmus demo with a Consul, a Nomad and a Kubernetes of the user: the printed rights suffice, a curl for each that answers, within 60 s', async (t) => {
  const consul = await startConsul({ acl: true });
  t.after(() => consul.stop());
  const nomad = await startNomad({ acl: true });
  t.after(() => nomad.stop());
  const kubernetes = await startKubernetes();
  t.after(() => kubernetes.stop());
  const app = createServer((_request, response) => response.end('from web')).listen(0, '127.0.0.1');
  await once(app, 'listening');
  t.after(() => app.close());
  const { port } = app.address() as AddressInfo;
  await consul.api('PUT', '/v1/agent/service/register', { Name: 'web', ID: 'w1', Address: '127.0.0.1', Port: port });
  await consul.api('PUT', '/v1/agent/service/register', { Name: 'down', ID: 'd1', Address: '127.0.0.1', Port: 9 });
  await nomad.run({ job: 'inventory', command: process.execPath, args: ['-e', serve], check: 'tcp' });
  // The demonstration lists once what is there.
  await until('the job to run, and its check to pass', () => passes(nomad, 'inventory'), 60_000);
  await consul.api('PUT', '/v1/acl/policy', { Name: 'demo', Rules: printed('consul') });
  const consulToken = JSON.parse((await consul.api('PUT', '/v1/acl/token', { Policies: [{ Name: 'demo' }] })).body) as { SecretID: string };
  await nomad.api('POST', '/v1/acl/policy/demo', { Name: 'demo', Rules: printed('nomad') });
  const nomadToken = JSON.parse((await nomad.api('POST', '/v1/acl/token', { Name: 'demo', Type: 'client', Policies: ['demo'] })).body) as {
    SecretID: string;
  };
  const kubectl = (args: readonly string[]) => promisify(execFile)(kubernetes.kubectl, ['--kubeconfig', kubernetes.kubeconfig, ...args]);
  const folder = consul.folder;
  await writeFile(join(folder, 'demo.yaml'), readOnly);
  await kubectl(['apply', '-f', join(folder, 'demo.yaml')]);
  const account = (await kubectl(['create', 'token', 'demo'])).stdout.trim();
  const kubeconfig = join(folder, 'read-only.kubeconfig');
  await writeFile(kubeconfig, (await readFile(kubernetes.kubeconfig, 'utf8')).replaceAll(kubernetes.token, account), { mode: 0o600 });

  const began = performance.now();
  const flags = ['--consul', consul.url, '--nomad', nomad.url, '--kubeconfig', kubeconfig];
  const child = spawn(process.execPath, [main, 'demo', ...flags], {
    env: { ...process.env, CONSUL_HTTP_TOKEN: consulToken.SecretID, NOMAD_TOKEN: nomadToken.SecretID },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGTERM'));
  let out = '';
  const up = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      if (out.includes('It stays up.')) resolve();
    });
  });
  const closed = new Promise((resolve) => child.once('close', resolve));
  await Promise.race([up, closed.then(() => Promise.reject(new Error(out)))]);
  assert.ok(performance.now() - began < 60_000, `took ${performance.now() - began} ms`);
  for (const name of ['default/web', 'default/down', 'default/inventory', 'default/pay'])
    assert.match(out, new RegExp(`  ${name}  ports`), out);
  assert.doesNotMatch(out, /curl .*default\/(down|pay)/);
  for (const name of ['web', 'inventory']) {
    const url = new RegExp(`curl (http://127\\.0\\.0\\.1:[0-9]+/) +# default/${name}:`).exec(out)?.[1];
    assert.ok(url !== undefined, out);
    assert.equal(await (await fetch(url)).text(), `from ${name}`);
  }
  assert.ok(!out.includes(consulToken.SecretID) && !out.includes(nomadToken.SecretID));
  child.kill('SIGINT');
  assert.equal(await closed, 0, out);
});

/** Its one allocation runs, and all of its checks pass. */
async function passes(nomad: RunningNomad, job: string): Promise<boolean> {
  const [allocation] = (await nomad.allocations(job)).filter(({ ClientStatus }) => ClientStatus === 'running');
  if (allocation === undefined) return false;
  const { body } = await nomad.api('GET', `/v1/client/allocation/${allocation.ID}/checks`);
  const checks = Object.values((JSON.parse(body) ?? {}) as Record<string, { readonly Status: string }>);
  return checks.length > 0 && checks.every(({ Status }) => Status === 'success');
}

const serve = "require('node:http').createServer((q, r) => r.end('from inventory')).listen(process.env.NOMAD_PORT_main, '127.0.0.1')";
