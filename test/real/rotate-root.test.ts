import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { ApiClient } from '../../cli/api-client.ts';
import { resolveTarget } from '../../cli/context/target.ts';
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

/** As `isthmus ca status` has it, without a process for the question. */
async function statusOf({ folder }: Site): Promise<AuthorityStatus> {
  const target = await resolveTarget({}, { HOME: folder, ISTHMUS_CONTEXT_FILE: join(folder, 'context.yaml') });
  return new ApiClient(target, new AbortController().signal).get<AuthorityStatus>('/v1/ca');
}

/** Of the driver's rotation, once it is so. */
function rotationOf(driver: Site, what: string, so: (rotation: RotationStatus) => boolean): Promise<RotationStatus> {
  return until(
    `the rotation is ${what}`,
    async () => {
      const { rotation } = await statusOf(driver);
      assert.ok(rotation !== null && so(rotation), JSON.stringify(rotation));
      return rotation;
    },
    180_000,
  );
}

async function signsUnder(site: Site, root: string): Promise<void> {
  await until(
    `${site.cluster} signs under the new root`,
    async () => (await statusOf(site)).certificates.some((each) => each.kind === 'intermediate' && each.root === root),
    60_000,
  );
}

/** What OpenSSL says of the signing certificates and their root, as they lie on disk. */
async function opensslAgrees(site: Site): Promise<void> {
  const ca = join(site.folder, 'state', 'ca');
  const text = await readFile(join(ca, 'intermediate.pem'), 'utf8');
  const certificate = join(site.folder, 'signing.pem');
  await writeFile(certificate, text.slice(text.indexOf('-----BEGIN CERTIFICATE-----')));
  const { stdout } = await run('openssl', ['verify', '-x509_strict', '-CAfile', join(ca, 'roots.pem'), certificate]);
  assert.match(stdout, /: OK/);
}

test('a rotation under load, over two clusters, our proxies and Envoy, its control planes killed inside each phase: no request fails', {
  timeout: 600_000,
}, async (t) => {
  const place = loopback(endInReverse(t));
  const http = new HttpBackend();
  place.ending(() => http.close());
  http.behave((_request, response, app) => response.end(app));
  const of = async (cluster: string, peer: string) =>
    startSite(place, {
      cluster,
      root: cluster === 'east',
      exports: ['shop/*'],
      peer: { cluster: peer, namespaces: ['*'] },
      originatePorts: await place.portRange(),
      // Control planes are away for up to half of it.
      svidTtl: '90s',
    });
  const [east, west] = await Promise.all([of('east', 'west'), of('west', 'east')]);
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
  const started = JSON.parse(await east.run('ca', 'rotate', 'start', '--step', '--output', 'json')) as RotationStatus;
  assert.equal(started.phase, 'prepare');
  for (const phase of ['distribute', 'sign', 'retire'] as const) {
    await rotationOf(east, `asks for ${phase}`, (rotation) => rotation.asks);
    // Without west a phase begins and cannot end: what is killed is killed inside it. In `sign` it is killed in the midst: each cluster
    // signs under the new root, and what was issued under the old one is still held and met.
    if (phase !== 'sign') west.control.suspend();
    await east.run('ca', 'rotate', 'continue');
    const { to } = await rotationOf(east, phase, (rotation) => rotation.phase === phase);
    if (phase === 'sign') for (const site of [east, west]) await signsUnder(site, to);
    assert.equal((await statusOf(east)).rotation?.phase, phase);
    await Promise.all([east, west].map(({ control }) => control.kill9()));
    await Promise.all([east, west].map(({ control }) => control.restart()));
    for (const site of [east, west]) await opensslAgrees(site);
  }
  const { history } = await rotationOf(east, 'over', (rotation) => rotation.phase === 'done');
  const phases = history.map((each) => each.phase);
  assert.deepEqual(phases, ['prepare', 'distribute', 'sign', 'retire', 'done'], 'it went on where it was, each time');
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
