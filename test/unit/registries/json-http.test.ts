import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { TlsFiles } from '../../../core/config/index.ts';
import { JsonHttp, type JsonHttpOptions } from '../../../core/http/index.ts';
import { silentLog } from '../../../core/log.ts';
import { clusterId, sourceId } from '../../../core/model/index.ts';
import { certificatesToPem, generateKey, issueLeafWithNames, keyToPem, spkiOf } from '../../../core/pki/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { createConsulPublisher, createConsulSource } from '../../../registries/consul/index.ts';
import { Follower } from '../../contract/registries/follower.ts';
import { FakeConsul } from '../../fakes/consul.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { rulesWith } from '../registry/records.ts';

const call = { timeoutMs: 5_000, signal: new AbortController().signal };
const pki = new MeshPki('registry.test');
let folder: string;
let fake: FakeConsul;
const clients: JsonHttp[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'json-http-'));
  fake = new FakeConsul();
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((c) => c.reset()));
  await fake.stop();
  await rm(folder, { recursive: true });
});

function client(change: Partial<JsonHttpOptions> = {}): JsonHttp {
  const names = { product: 'Consul', tokenHeader: 'x-consul-token', indexHeader: 'x-consul-index' };
  const made = new JsonHttp({ ...names, url: fake.server.url, connections: 2, clock: systemClock, ...change });
  clients.push(made);
  return made;
}

function leaf(dns: string, issuer = pki.root): { cert: string; key: string } {
  const key = generateKey();
  const certificate = issueLeafWithNames(issuer, spkiOf(key), { uris: [], dns: [dns] }, Date.now(), 3_600_000);
  return { cert: certificatesToPem([certificate.der]), key: keyToPem(key) };
}

/** Serves TLS as `consul.example`, to callers with a certificate of the same root only. */
async function startTls(): Promise<TlsFiles> {
  const ca = certificatesToPem([pki.root.certificate.der]);
  fake.server.tls = { ...leaf('consul.example'), ca, requestCert: true, rejectUnauthorized: true };
  await fake.server.start();
  const caller = leaf('caller.example');
  const files = { caFile: join(folder, 'ca.pem'), certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') };
  await writeFile(files.caFile, ca);
  await writeFile(files.certFile, caller.cert);
  await writeFile(files.keyFile, caller.key, { mode: 0o600 });
  return { ...files, serverName: 'consul.example' };
}

test('mutual TLS: source and publisher read and write with CA, client certificate and server name', async () => {
  const tls = await startTls();
  fake.state.register({ Node: 'n1', Address: '10.0.0.1', Service: { Service: 'web', Port: 8080 } });
  const deps = { id: sourceId('consul/dc1'), cluster: clusterId('east'), clock: systemClock, random: Math.random, log: silentLog };
  const spec = { type: 'consul', rules: rulesWith(), publish: true, connection: { type: 'consul', url: fake.server.url, tls } } as const;
  const follower = new Follower(createConsulSource(spec, deps));
  await follower.untilPorts('web', 8080);
  await follower.stop();
  const ports = [{ name: 'http', port: 80, protocol: 'http', gatewayPort: 16_000 }];
  const result = await createConsulPublisher(spec, deps).reconcile(
    [{ namespace: 'a', name: 'b', ports, gatewayAddresses: ['10.0.0.2'] }],
    call.signal,
  );
  assert.equal(result.written, 1);
});

test('a certificate of another root is refused with a hint; once the file is right, the next connection works', async () => {
  const tls = await startTls();
  const other = new MeshPki('other.test');
  await writeFile(tls.caFile ?? '', certificatesToPem([other.root.certificate.der]));
  const http = client({ tls });
  await assert.rejects(http.get('/v1/catalog/services', {}, call), { code: 'REGISTRY_UNREACHABLE', message: /check connection\.tls/ });
  await writeFile(tls.caFile ?? '', certificatesToPem([pki.root.certificate.der]));
  await http.reset();
  assert.deepEqual((await http.get('/v1/catalog/services', {}, call)).body, {});
  await assert.rejects(client({ tls: { ...tls, serverName: 'nomad.example' } }).get('/v1/catalog/services', {}, call), {
    code: 'REGISTRY_UNREACHABLE',
  });
  const { certFile: _, keyFile: __, ...bare } = tls;
  await assert.rejects(client({ tls: bare }).get('/v1/catalog/services', {}, call), { code: 'REGISTRY_UNREACHABLE' });
  const gone = client({ tls: { ...tls, keyFile: join(folder, 'gone') } });
  await assert.rejects(gone.get('/v1/catalog/services', {}, call), { code: 'REGISTRY_REFUSED', message: /TLS files/ });
});

test('a token is read anew for each request, and a missing one names its file and no secret', async () => {
  await fake.server.start();
  const tokenFile = join(folder, 'token');
  const http = client({ tokenFile });
  await assert.rejects(http.get('/v1/catalog/services', {}, call), {
    code: 'REGISTRY_REFUSED',
    message: /token file .*token cannot be read/,
  });
  fake.token = 'second-secret';
  await writeFile(tokenFile, 'first-secret', { mode: 0o600 });
  await assert.rejects(
    http.get('/v1/catalog/services', {}, call),
    (e: Error & { code: string }) => e.code === 'REGISTRY_REFUSED' && !JSON.stringify([e.message, e.cause]).includes('secret'),
  );
  await writeFile(tokenFile, 'second-secret\n');
  await http.get('/v1/catalog/services', {}, call);
});

test('size, time and abort are bounded', async () => {
  await fake.server.start();
  for (let i = 0; i < 200; i++) fake.state.register({ Node: 'n1', Address: '10.0.0.1', Service: { Service: `service-${i}`, Port: 1 } });
  await assert.rejects(client({ maxBodyBytes: 1_000 }).get('/v1/catalog/services', {}, call), { code: 'LIMIT_EXCEEDED' });
  await fake.server.break('silence');
  await assert.rejects(client().get('/v1/catalog/services', {}, { ...call, timeoutMs: 50 }), {
    code: 'DEADLINE_EXCEEDED',
    retryable: true,
  });
  const controller = new AbortController();
  setImmediate(() => controller.abort());
  await assert.rejects(client().get('/v1/catalog/services', {}, { ...call, signal: controller.signal }), { code: 'ABORTED' });
});
