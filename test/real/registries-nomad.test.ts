import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { NomadConnection } from '../../core/config/index.ts';
import { silentLog } from '../../core/log.ts';
import { clusterId, sourceId } from '../../core/model/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { createNomadSource } from '../../registries/nomad/index.ts';
import { Follower } from '../contract/registries/follower.ts';
import type { RegistryHarness } from '../contract/registries/harness.ts';
import { registryContract } from '../contract/registries/suite.ts';
import { BreakingProxy } from '../fakes/breaking-proxy.ts';
import { until } from '../support/until.ts';
import { rulesWith } from '../unit/registry/records.ts';
import { type RunningNomad, startNomad } from './servers/index.ts';

const deps = { id: sourceId('nomad/dc1'), cluster: clusterId('west'), clock: systemClock, random: Math.random, log: silentLog };
const tuning = { waitMs: 2_000, marginMs: 1_500, streamIdleMs: 12_000, checkIntervalMs: 200, backoff: { baseMs: 20, maxMs: 200 } };

function sourceOf(url: string, change: Partial<NomadConnection> = {}, own = tuning) {
  const connection = { type: 'nomad', url, namespace: '*', ...change } as const;
  return createNomadSource({ type: 'nomad', rules: rulesWith({ namespaceFrom: 'native' }), publish: false, connection }, deps, own);
}

async function stopJob(nomad: RunningNomad, job: string, namespace = 'default'): Promise<void> {
  await nomad.api('DELETE', `/v1/job/${job}?purge=true&namespace=${namespace}`);
}

async function realNomad(): Promise<RegistryHarness> {
  const nomad = await startNomad();
  const proxy = new BreakingProxy(nomad.url);
  await proxy.server.start();
  let how = '';
  return {
    source: () => sourceOf(proxy.server.url),
    register: (service, instance, port) => nomad.run({ job: `${service}-${instance}`, service, command: '/bin/sleep', args: ['1d'], port }),
    deregister: (service, instance) => stopJob(nomad, `${service}-${instance}`),
    breakages: ['errors', 'garbage', 'half-json', 'wrong-json', 'silence', 'refused', 'reset'],
    // What a real server can do, it does itself; the rest a proxy before it does.
    break: async (breakage) => {
      how = breakage;
      if (how === 'silence') nomad.server.suspend();
      else if (how === 'refused') await nomad.server.kill9();
      else await proxy.server.break(breakage);
    },
    repair: async () => {
      if (how === 'silence') nomad.server.resume();
      else if (how === 'refused') await nomad.server.restart();
      else await proxy.server.repair();
      how = '';
      await until('nomad has its leader and node again', async () => {
        const nodes = JSON.parse((await nomad.api('GET', '/v1/nodes')).body) as { Status: string }[];
        return nodes.length > 0 && nodes.every((n) => n.Status === 'ready');
      });
    },
    connections: () => proxy.server.connections,
    bulk: 4,
    stop: async () => {
      await proxy.server.stop();
      await nomad.stop();
    },
  };
}

registryContract('real Nomad', realNomad);

let nomad: RunningNomad;
before(async () => {
  nomad = await startNomad({ acl: true });
});
after(() => nomad?.stop());

async function tokenFor(rules: string): Promise<string> {
  const Name = `policy-${randomUUID()}`;
  await nomad.api('PUT', `/v1/acl/policy/${Name}`, { Name, Rules: rules });
  const token = JSON.parse((await nomad.api('PUT', '/v1/acl/token', { Name, Type: 'client', Policies: [Name] })).body) as {
    SecretID: string;
  };
  const file = join(nomad.server.folder, `${Name}.token`);
  await writeFile(file, token.SecretID, { mode: 0o600 });
  return file;
}

const readPolicy = 'namespace "*" { policy = "read" } node { policy = "read" }';

/** Answers /health with 200 or 500, and turns that over at every /turn. */
const app = `let ok = true; require('http').createServer((q, s) => {
  if (q.url === '/turn') ok = !ok;
  s.writeHead(ok || q.url !== '/health' ? 200 : 500).end();
}).listen(+process.argv[1], '127.0.0.1')`;

test('with the documented rights: all namespaces, checks, a stopped allocation, a lost node', async () => {
  const port = await nomad.reach.freePort();
  const args = ['-e', app, '$' + '{NOMAD_PORT_main}'];
  const tags = ['isthmus.dev/protocol=grpc', 'isthmus.dev/port=8080'];
  await nomad.run({
    job: 'inv',
    service: 'inventory',
    namespace: 'shop',
    command: process.execPath,
    args,
    port,
    tags,
    check: { http: '/health' },
  });
  // A client that is killed and comes back keeps the machine busy: what is slow then is not gone.
  const patient = { ...tuning, marginMs: 5_000 };
  const follower = new Follower(sourceOf(nomad.url, { tokenFile: await tokenFor(readPolicy), region: 'global' }, patient));
  const record = () => follower.state.get('shop/inventory');
  const health = () => record()?.endpoints[0]?.health;
  try {
    await until('the service is there and healthy', () => health() === 'healthy');
    assert.deepEqual(record()?.ports, [{ name: 'grpc', port: 8080, protocol: 'grpc' }]);
    assert.deepEqual(record()?.endpoints[0]?.ports, { grpc: port });
    assert.deepEqual(record()?.endpoints[0]?.locality, { region: 'global', zone: 'dc1', subzone: '' });

    const turn = () => fetch(`http://127.0.0.1:${port}/turn`).then((r) => r.arrayBuffer());
    await until('the app answers', turn);
    await until('its check fails', () => health() === 'unhealthy');
    await turn();
    await until('its check passes again', () => health() === 'healthy');

    const before = record()?.endpoints[0]?.instance;
    const [allocation] = (await nomad.allocations('inv', 'shop')).filter((a) => a.ClientStatus === 'running');
    await nomad.api('PUT', `/v1/allocation/${allocation?.ID}/stop?namespace=shop`);
    await until(
      'the stopped one takes no more',
      () => record()?.endpoints.every((e) => e.instance !== before || e.health !== 'healthy') ?? true,
    );
    await until('its replacement does', () => record()?.endpoints.some((e) => e.instance !== before && e.health === 'healthy'));

    await nomad.client.kill9();
    await until(
      'a lost node takes no more, though its registration stands',
      () => record()?.endpoints.every((e) => e.health !== 'healthy') ?? true,
      60_000,
    );
    const listed = JSON.parse((await nomad.api('GET', '/v1/service/inventory?namespace=shop')).body) as unknown[];
    await nomad.client.restart();
    await until('it is back', () => record()?.endpoints.some((e) => e.health === 'healthy'), 60_000);
    assert.ok(Array.isArray(listed));
    assert.deepEqual(
      follower.kinds().filter((k) => k === 'stale'),
      [],
    );
  } finally {
    await follower.stop();
    await stopJob(nomad, 'inv', 'shop');
  }
});

test('a token that may not read nodes still follows; one without rights is told so, never an empty registry', async () => {
  const port = await nomad.reach.freePort();
  await nomad.run({ job: 'plain', command: '/bin/sleep', args: ['1d'], port });
  const limited = new Follower(sourceOf(nomad.url, { tokenFile: await tokenFor('namespace "*" { policy = "read" }') }));
  const none = new Follower(sourceOf(nomad.url, { tokenFile: await tokenFor('operator { policy = "read" }') }));
  const forged = join(nomad.server.folder, 'forged.token');
  await writeFile(forged, randomUUID(), { mode: 0o600 });
  const unknown = new Follower(sourceOf(nomad.url, { tokenFile: forged }));
  try {
    await limited.untilPorts('plain', port);
    for (const refused of [none, unknown]) {
      await refused.untilKind('stale');
      const [event] = refused.events;
      assert.ok(event?.kind === 'stale' && event.error.code === 'REGISTRY_REFUSED', JSON.stringify(event));
    }
  } finally {
    await Promise.all([limited, none, unknown].map((f) => f.stop()));
    await stopJob(nomad, 'plain');
  }
});
