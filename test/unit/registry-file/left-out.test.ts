import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Log, silentLog } from '../../../core/log.ts';
import { clusterId, sourceId } from '../../../core/model/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { createFileSource, type FileSpec } from '../../../registries/file/index.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

const rules = {
  namespace: 'default',
  namespaceFrom: 'native',
  rename: {},
  include: [],
  exclude: [],
  claims: ['*/*'],
  network: 'net-a',
  protocol: 'http',
  serviceAccount: 'default',
  tlsMode: 'none',
  locality: '',
} as const;

const entry = (name: string) => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'ServiceEntry',
  metadata: { name },
  spec: {
    hosts: [name],
    ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
    endpoints: [{ address: '10.0.0.1', ports: { http: 8080 } }],
  },
});

test('a folder of services is read in JSON too, however indented, and what it holds besides is said once', async (t) => {
  const path = await mkdtemp(join(tmpdir(), 'isthmus-file-'));
  onEnd(t, () => rm(path, { recursive: true }));
  await writeFile(join(path, 'orders.json'), JSON.stringify(entry('orders'), undefined, '\t'));
  await writeFile(join(path, 'orders.json~'), 'what an editor keeps');
  await writeFile(join(path, 'pay.toml'), 'kind = "ServiceEntry"');
  const told: unknown[] = [];
  const log: Log = { ...silentLog, warn: (fields) => void told.push(fields) };
  const spec: FileSpec = { type: 'file', publish: false, rules, connection: { type: 'file', path } };
  const deps = { id: sourceId('file/test'), cluster: clusterId('east'), clock: systemClock, random: Math.random, log };
  const source = createFileSource(spec, deps, { quietMs: 5, rescanMs: 20, backoff: { baseMs: 5, maxMs: 50 } });
  const stop = new AbortController();
  const names = new Set<string>();
  const reading = (async () => {
    for await (const event of source.watch(stop.signal)) {
      if (event.kind === 'snapshot') for (const service of event.services) names.add(service.name);
      if (event.kind === 'upsert') names.add(event.service.name);
    }
  })();
  onEnd(t, async () => {
    stop.abort();
    await reading;
  });
  await until('the first', () => names.has('orders'));
  await writeFile(join(path, 'pay.json'), JSON.stringify(entry('pay')));
  await until('the second, after another look at the folder', () => names.has('pay'));
  assert.deepEqual(told, [{ source: 'file/test', folder: path, names: ['pay.toml'] }]);
});
