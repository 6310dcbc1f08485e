import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Status } from '../../core/admin/index.ts';
import { onEnd } from '../support/on-end.ts';
import { until } from '../support/until.ts';
import { composeUp, hostsOf, isOneShot, loadCompose } from './containers/compose.ts';
import { createNetwork } from './servers/index.ts';
import { recipes } from './servers/recipes.ts';
import { startServer } from './servers/server-process.ts';
import { makeWorkFolder } from './servers/work-folder.ts';

// Not shown here, where no container engine runs: that the images can be pulled and built, and Docker's own networks and volumes.

test('docker-compose.yml is what the Compose Specification allows, with the versions that these tests run', async () => {
  const model = await loadCompose();
  const images = new Set(Object.values(model.services).map((s) => s.image));
  assert.deepEqual([...images].sort(), [
    `hashicorp/consul:${recipes.consul.version}`,
    `hashicorp/nomad:${recipes.nomad.version}`,
    'isthmus:0.1.0',
  ]);
  for (const [name, service] of Object.entries(model.services)) {
    assert.ok(isOneShot(model, name) || name === 'east-invite' || service.healthcheck !== undefined, `${name} has no health check`);
  }
});

test('docker-compose.yml starts a mesh in which a caller of west without a sidecar finds and calls a service of east', {
  timeout: 600_000,
}, async (t) => {
  const model = await loadCompose();
  const network = await createNetwork({ sites: { mesh: hostsOf(model) } });
  onEnd(t, () => network.remove());
  const project = await composeUp(model, network, 'mesh');
  onEnd(t, () => project.down());

  const status = async (cluster: string) =>
    JSON.parse(await project.exec(`${cluster}-control`, 'isthmus', 'status', '--output', 'json')) as Status;
  await until('west is ready', async () => (await status('west')).peers.length > 0);

  const consul = network.host('mesh', 'east-consul');
  const folder = await makeWorkFolder('catalog');
  const source = `require('http').createServer((q, r) => r.end('catalog for ' + q.headers['x-forwarded-client-cert'])).listen(9090, '${consul.address}')`;
  const at = (host: string, port: number, path: string) =>
    `http://${host.includes('.') ? host : network.host('mesh', host).address}:${port}${path}`;
  const app = await startServer({
    name: 'catalog',
    command: process.execPath,
    args: ['-e', source],
    netns: consul.netns,
    folder,
    ready: async (reach) => (await reach.request({ url: at('east-consul', 9090, '/') })).status === 200,
  });
  onEnd(t, () => app.stop());
  const register = async (host: string, service: object): Promise<void> => {
    const body = JSON.stringify(service);
    const reply = await network
      .host('mesh', host)
      .reach.request({ url: at(host, 8500, '/v1/agent/service/register'), method: 'PUT', body });
    assert.equal(reply.status, 200, reply.body);
  };
  const check = { HTTP: at('east-consul', 9090, '/'), Interval: '1s' };
  await register('east-consul', { Name: 'catalog', ID: 'catalog-1', Address: consul.address, Port: 9090, Check: check });
  await register('west-consul', { Name: 'web', ID: 'web-1', Address: network.host('mesh', 'west-consul').address, Port: 8080 });

  const find = 'curl -sf "http://127.0.0.1:8500/v1/health/service/catalog-mesh?passing=true"';
  const on = (service: string, script: string) => project.exec(service, 'bash', '-euo', 'pipefail', '-c', script);
  const { Address, Port } = await until('catalog-mesh is in the Consul of west', async () => {
    const [entry] = JSON.parse(await on('west-consul', find)) as { Service: { Address: string; Port: number } }[];
    return entry?.Service;
  });
  const answer = await until('it answers', () => on('west-consul', `curl -sf http://${Address}:${Port}/`));
  assert.match(answer, /^catalog for .*URI=spiffe:\/\/mesh\.example\.com\/ns\/isthmus-system\/sa\/gateway/);
  assert.match(await on('west-control', 'isthmus explain shop/web shop/catalog'), /the principal is the gateway[\s\S]*ALLOWED/);

  // A second `docker compose up` runs them again, and they find nothing to do.
  for (const name of ['east-first-start', 'east-invite', 'west-join', 'west-gateway-token']) await project.again(name);
});
