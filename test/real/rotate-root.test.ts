import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { freeRange } from '../../cli/demo/site.ts';
import type { AuthorityStatus, RotationStatus } from '../../core/admin/index.ts';
import { until } from '../support/until.ts';
import { HttpBackend } from './differential/backends/http-backend.ts';
import { httpCall } from './differential/clients/http-call.ts';
import { loopback } from './differential/place.ts';
import { type ProxyKind, startMeshGateway, startSidecar } from './differential/proxies.ts';
import { type Site, startSite } from './differential/site.ts';
import { endInReverse } from './servers/index.ts';

const run = promisify(execFile);
const host = (service: string) => `${service}.shop.mesh.internal:80`;

/** Calls on connections of their own, so that each one is a handshake somewhere, one after the other, until it is told to stop. */
class Load {
  readonly failed: string[] = [];
  count = 0;
  #stopped = false;
  readonly #loops: readonly Promise<void>[];

  constructor(paths: readonly { readonly name: string; readonly port: number }[]) {
    this.#loops = paths.map(({ name, port }) => this.#run(name, port));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
  }

  async #run(name: string, port: number): Promise<void> {
    while (!this.#stopped) {
      this.count += 1;
      const answer = await httpCall({ port, headers: ['connection', 'close'] }).catch((error: Error) => ({
        status: 0,
        body: error.message,
      }));
      if (answer.status !== 200) this.failed.push(`${new Date().toISOString()} ${name}: ${answer.status} ${answer.body}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

const statusOf = async (site: Site) => JSON.parse(await site.run('ca', 'status', '--output', 'json')) as AuthorityStatus;

/** What OpenSSL says of the signing certificates and their root, as they lie on disk. */
async function opensslAgrees(site: Site): Promise<void> {
  const ca = join(site.folder, 'state', 'ca');
  const text = await readFile(join(ca, 'intermediate.pem'), 'utf8');
  const certificate = join(site.folder, 'signing.pem');
  await writeFile(certificate, text.slice(text.indexOf('-----BEGIN CERTIFICATE-----')));
  const { stdout } = await run('openssl', ['verify', '-x509_strict', '-CAfile', join(ca, 'roots.pem'), certificate]);
  assert.match(stdout, /: OK/);
}

test('a rotation of the root under load, over two clusters, our proxies and Envoy: no request fails', { timeout: 280_000 }, async (t) => {
  const place = loopback(endInReverse(t));
  const http = new HttpBackend();
  place.ending(() => http.close());
  http.behave((_request, response, app) => response.end(app));
  const first = await freeRange(200);
  const of = (cluster: string, peer: string, from: number) =>
    startSite(place, {
      cluster,
      root: cluster === 'east',
      exports: ['shop/*'],
      peer: { cluster: peer, namespaces: ['*'] },
      originatePorts: [from, from + 99],
      svidTtl: '40s',
    });
  const [east, west] = await Promise.all([of('east', 'west', first), of('west', 'east', first + 100)]);
  await west.run('peer', 'join', await east.run('peer', 'invite'));
  const kinds: readonly ProxyKind[] = ['isthmus', 'envoy'];
  await Promise.all([startMeshGateway(place, west, 'envoy'), startMeshGateway(place, east, 'isthmus')]);
  const servers = kinds.map((kind) => `app-${kind}`);
  for (const kind of kinds) {
    const service = `app-${kind}`;
    await startSidecar(place, west, kind, { service, port: 80, protocol: 'http', appPort: await http.open(service) });
  }
  const calls = servers.map(host);
  const paths: { name: string; port: number }[] = [];
  for (const kind of kinds) {
    const caller = await startSidecar(place, east, kind, {
      service: `caller-${kind}`,
      port: 80,
      protocol: 'http',
      appPort: await http.open(`caller-${kind}`),
      calls,
    });
    for (const server of servers) paths.push({ name: `${kind} → ${server}`, port: caller.outbound.get(host(server)) ?? 0 });
  }
  for (const { name, port } of paths) {
    await until(name, async () => (await httpCall({ port })).status === 200, 60_000);
  }

  const load = new Load(paths);
  const before = await statusOf(east);
  const seen = new Set<string>();
  const started = JSON.parse(await east.run('ca', 'rotate', 'start', '--output', 'json')) as RotationStatus;
  assert.equal(started.phase, 'prepare');
  await until(
    'the rotation is over',
    async () => {
      const { rotation } = await statusOf(east);
      if (rotation !== null && !seen.has(rotation.phase)) {
        seen.add(rotation.phase);
        for (const site of [east, west]) await opensslAgrees(site);
      }
      assert.equal(rotation?.phase, 'done', JSON.stringify(rotation));
      return true;
    },
    180_000,
  );
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  await load.stop();
  assert.deepEqual(load.failed, []);
  assert.ok(load.count > 200, `only ${load.count} requests were made`);
  t.diagnostic(`${load.count} requests, none failed`);
  const [root] = before.certificates.filter((each) => each.kind === 'root');
  for (const site of [east, west]) {
    const { certificates, holding } = await statusOf(site);
    assert.ok(!certificates.some((each) => each.fingerprint === root?.fingerprint || each.root === root?.fingerprint));
    assert.deepEqual(holding, []);
    await opensslAgrees(site);
  }
});
