import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startEchoApp } from '../../../cli/demo/echo-app.ts';
import { silentLog } from '../../../core/log.ts';
import { clusterId, sourceId } from '../../../core/model/index.ts';
import type { RegistryEvent } from '../../../core/registry/index.ts';
import { createEntriesSource } from '../../../registries/objects/index.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';
import { GuardedMesh } from '../policy/guarded-mesh.ts';

const entryFor = (port: number) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: legacy, namespace: shop}
spec:
  hosts: [legacy.example.com]
  ports: [{number: 80, name: http, protocol: HTTP}]
  location: MESH_EXTERNAL
  resolution: STATIC
  endpoints: [{address: 127.0.0.1, network: east, ports: {http: ${port}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: legacy, namespace: shop}
spec:
  hosts: [legacy.example.com]
  http:
    - match: [{uri: {prefix: /gone}}]
      directResponse: {status: 410}
    - route: [{destination: {host: legacy.example.com}}]
`;

test('a ServiceEntry is a service: callers reach its endpoints, by the rules of its host, and no longer once it is gone', {
  timeout: 120_000,
}, async (t) => {
  const mesh = await GuardedMesh.start(t);
  const app = await startEchoApp('legacy');
  onEnd(t, () => app.close());
  const web = await mesh.vm('web', 8081);
  const call = async (path: string) => (await fetch(`http://127.0.0.1:${web.toLegacy}${path}`).catch(() => undefined))?.status;
  await mesh.configure('entries.yaml', entryFor(app.port));
  await until('web to reach what the entry names', async () => (await call('/')) === 200);
  await until('its rules to count', async () => (await call('/gone/by')) === 410);
  await mesh.configure('entries.yaml');
  await until('the service to be gone', async () => (await call('/')) !== 200);
  assert.deepEqual(mesh.lines, []);
});

test('names are resolved again and again; one that cannot be keeps the addresses it had', async () => {
  const clock = new ManualClock();
  const stop = new AbortController();
  let answer: readonly string[] | undefined = ['10.0.0.2', '10.0.0.1'];
  let asked = 0;
  const spec = {
    hosts: ['a.example.com'],
    addresses: [],
    ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
    location: 'external' as const,
    resolution: 'dns' as const,
    endpoints: [],
    workloadSelector: {},
    exportTo: [],
    subjectAltNames: [],
    createdAt: 1,
  };
  const object = {
    kind: 'ServiceEntry' as const,
    group: 'networking.istio.io',
    scope: 'mesh' as const,
    name: 'a',
    namespace: 'shop',
    spec,
  };
  const source = createEntriesSource(
    {
      objects: () => [object],
      subscribe: () => () => {},
      network: 'dc',
      resolve: async () => {
        asked += 1;
        if (answer === undefined) throw new Error('SERVFAIL');
        return answer;
      },
    },
    { id: sourceId('objects/entries'), cluster: clusterId('east'), clock, random: () => 0, log: silentLog },
  );
  const events: RegistryEvent[] = [];
  const reading = (async () => {
    for await (const event of source.watch(stop.signal)) events.push(event);
  })();
  const addresses = () => {
    const last = events.at(-1);
    const service = last?.kind === 'snapshot' ? last.services[0] : last?.kind === 'upsert' ? last.service : undefined;
    return service?.endpoints.map((e) => e.address);
  };
  const again = async () => {
    const before = asked;
    clock.advance(30_000);
    await until('the name to be asked for', () => asked > before);
  };
  await until('the first answer', () => addresses() !== undefined);
  assert.deepEqual(addresses(), ['10.0.0.1', '10.0.0.2']);
  answer = undefined;
  await again();
  await again();
  assert.equal(events.length, 1);
  answer = ['10.0.0.3'];
  await again();
  await until('the new address', () => addresses()?.join() === '10.0.0.3');
  stop.abort();
  await reading;
});
