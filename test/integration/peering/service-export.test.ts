import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { runControl } from '../../../control/main.ts';
import type { Status } from '../../../core/admin/index.ts';
import { silentLog } from '../../../core/log.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { runCli } from '../../support/run-cli.ts';
import { until } from '../../support/until.ts';

/** One cluster's control plane, on a folder of configuration. */
class Site {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async start(t: TestContext, cluster: string, root: boolean): Promise<Site> {
    const folder = await temporaryDir(t);
    const site = new Site(folder);
    const [grpc, api] = [await deadPort(), await deadPort()];
    const spec = [
      `cluster: ${cluster}, trustDomain: mesh.test, stateDir: ${folder}/state${root ? `, identity: {rootDir: ${folder}/root}` : ''}`,
      `grpc: {listen: '127.0.0.1:${grpc}', advertise: ['127.0.0.1:${grpc}']}`,
      `api: {listen: '127.0.0.1:${api}'}, health: {listen: '127.0.0.1:0'}`,
    ];
    await mkdir(join(folder, 'conf'));
    await site.configure(
      'mesh.yaml',
      `apiVersion: isthmus.dev/v1alpha1\nkind: Mesh\nmetadata: {name: ${cluster}}\nspec: {${spec.join(', ')}}\n`,
    );
    if (root) await site.cli('ca', 'init', '--dir', `${folder}/root`, '--trust-domain', 'mesh.test');
    await site.cli('control', 'init', '-c', `${folder}/conf`);
    const stop = new AbortController();
    const ready = new Promise<void>((resolve) => {
      const running = runControl({ config: [`${folder}/conf`], drainMs: 1_000, log: silentLog, onReady: () => resolve() }, stop.signal);
      running.catch(() => undefined);
      onEnd(t, async () => {
        stop.abort();
        await running;
      });
    });
    await ready;
    return site;
  }

  configure(name: string, text: string): Promise<void> {
    return writeFile(join(this.#folder, 'conf', name), text);
  }

  async registry(entries: string): Promise<void> {
    const path = join(this.#folder, 'services');
    await mkdir(path);
    await writeFile(join(path, 'services.yaml'), entries);
    const spec = `type: file, connection: {path: ${path}}, mapping: {claims: ['*/*'], network: dc}`;
    await this.configure('registry.yaml', `apiVersion: isthmus.dev/v1alpha1\nkind: Registry\nmetadata: {name: dc}\nspec: {${spec}}\n`);
  }

  async written(name: string, text: string): Promise<string> {
    const path = join(this.#folder, name);
    await writeFile(path, text);
    return path;
  }

  async cli(...args: string[]): Promise<string> {
    const { code, out, err } = await runCli(args, { ISTHMUS_CONTEXT_FILE: join(this.#folder, 'context.yaml') });
    if (code !== 0) throw new Error(`isthmus ${args.join(' ')}: exit ${code}: ${err}`);
    return out;
  }

  async services(): Promise<Readonly<Record<string, readonly string[]>>> {
    const { services } = JSON.parse(await this.cli('status', '--output', 'json')) as Status;
    return Object.fromEntries(services.map((s) => [`${s.namespace}/${s.name}`, s.audience]));
  }
}

function entry(name: string): string {
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: shop}
spec:
  hosts: [${name}.shop.mesh.internal]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 198.18.0.1}]
`;
}

function serviceExport(name: string, annotations = ''): string {
  return `apiVersion: multicluster.x-k8s.io/v1beta1\nkind: ServiceExport\nmetadata: {name: ${name}, namespace: shop${annotations}}\n`;
}

test('a ServiceExport exports the service of its name to every peer, and nothing else; who takes it back exports it no more', async (t) => {
  const [east, west] = [await Site.start(t, 'east', true), await Site.start(t, 'west', false)];
  await east.registry(`${entry('orders')}---\n${entry('pay')}`);
  await west.cli('peer', 'join', (await east.cli('peer', 'invite')).trim());
  await until('east knows its services', async () => Object.keys(await east.services()).length === 2);
  assert.deepEqual(await west.services(), {});

  await east.configure('exports.yaml', serviceExport('orders'));
  await until('west to know orders', async () => 'shop/orders' in (await west.services()));
  assert.deepEqual(await east.services(), { 'shop/orders': ['*'], 'shop/pay': [] });
  assert.deepEqual(Object.keys(await west.services()), ['shop/orders']);

  await east.cli('apply', '-f', await east.written('pay.yaml', serviceExport('pay')));
  await until('west to know pay, which was applied', async () => 'shop/pay' in (await west.services()));
  await east.cli('delete', 'serviceexport', 'shop/pay');
  await until('west to forget pay', async () => !('shop/pay' in (await west.services())));

  await east.configure('exports.yaml', '');
  await until('west to forget orders', async () => !('shop/orders' in (await west.services())));
  assert.deepEqual(await east.services(), { 'shop/orders': [], 'shop/pay': [] });

  // Whatever a peer says of exports, even for the whole mesh.
  await west.configure('exports.yaml', serviceExport('orders', ', annotations: {isthmus.dev/scope: mesh}'));
  await until('west to have its own', async () => (await west.cli('get', 'serviceexports', '-o', 'json')).includes('orders'));
  assert.deepEqual(await east.services(), { 'shop/orders': [], 'shop/pay': [] });
});
