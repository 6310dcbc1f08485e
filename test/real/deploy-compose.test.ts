import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Status } from '../../core/admin/index.ts';
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

test('docker-compose.yml: what it starts is a mesh in which a caller of west finds a service of east by name', {
  timeout: 600_000,
}, async (t) => {
  const model = await loadCompose();
  const network = await createNetwork({ sites: { mesh: hostsOf(model) } });
  t.after(() => network.remove());
  const project = await composeUp(model, network, 'mesh');
  t.after(() => project.down());

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
  t.after(() => app.stop());
  const body = JSON.stringify({
    Name: 'catalog',
    ID: 'catalog-1',
    Address: consul.address,
    Port: 9090,
    Check: { HTTP: at('east-consul', 9090, '/'), Interval: '1s' },
  });
  const registered = await consul.reach.request({ url: at('east-consul', 8500, '/v1/agent/service/register'), method: 'PUT', body });
  assert.equal(registered.status, 200, registered.body);

  const caller = network.host('mesh', 'west-nomad');
  const reply = await until(
    'west answers',
    async () => {
      const found = await caller.reach.request({ url: at('west-consul', 8500, '/v1/health/service/catalog-mesh?passing=true') });
      const [entry] = JSON.parse(found.body) as { Service: { Address: string; Port: number } }[];
      if (entry === undefined) return undefined;
      const answered = await caller.reach.request({ url: at(entry.Service.Address, entry.Service.Port, '/') });
      return answered.status === 200 ? answered : undefined;
    },
    60_000,
  );
  assert.match(reply.body, /URI=spiffe:\/\/mesh\.example\.com\//);

  // A second `docker compose up` runs them again, and they find nothing to do.
  for (const name of ['east-first-start', 'east-invite', 'west-join', 'west-gateway-token']) await project.again(name);
});
