import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Status } from '../../core/admin/index.ts';
import { type Child, runOnce, startChild } from './child.ts';
import { type OwnRegistry, siteConfig, trustDomain } from './site-config.ts';

export interface SiteOptions {
  readonly root: boolean;
  readonly portRange: readonly [number, number];
  readonly registries: readonly OwnRegistry[];
}

export interface VmOptions {
  readonly service: string;
  readonly port: number;
  readonly appPort: number;
  /** HOST:PORT=LOCAL */
  readonly outbound: readonly string[];
}

/** One cluster of the demonstration, driven by the commands that an operator has. */
export class Site {
  readonly cluster: string;
  readonly folder: string;
  readonly contextFile: string;
  readonly #options: SiteOptions;
  readonly #env: Record<string, string>;

  constructor(cluster: string, folder: string, options: SiteOptions) {
    this.cluster = cluster;
    this.folder = folder;
    this.contextFile = join(folder, 'context.yaml');
    this.#options = options;
    this.#env = { ISTHMUS_CONTEXT_FILE: this.contextFile };
  }

  /** `isthmus ARGS` against this cluster; returns what it printed. */
  run(...args: string[]): Promise<string> {
    return runOnce(args, this.#env);
  }

  async status(): Promise<Status> {
    return JSON.parse(await this.run('status', '--output', 'json')) as Status;
  }

  /** Root (where it has one), configuration, first admin, control plane. */
  async start(): Promise<Child> {
    const { cluster, folder } = this;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const file = join(folder, 'isthmus.yaml');
    await writeFile(file, siteConfig({ cluster, folder, grpcPort: await freePort(), ...this.#options }));
    if (this.#options.root) await this.run('ca', 'init', '--dir', join(folder, 'root'), '--trust-domain', trustDomain);
    await this.run('control', 'init', '-c', file);
    const child = await startChild({ name: `control-${cluster}`, args: ['control', '-c', file], env: this.#env, folder });
    const { api } = child.ready['ports'] as { api: number };
    this.#env['ISTHMUS_API'] = `127.0.0.1:${api}`;
    await this.#pinApi(api);
    return child;
  }

  async startGateway(): Promise<Child> {
    const token = await this.#tokenFile('gateway', await this.run('gateway', 'token'));
    const state = join(this.folder, 'gateway');
    const args = ['gateway', '--token-file', token, '--state-dir', state, '--listen', '127.0.0.1:0', '--advertise', '127.0.0.1'];
    const ports = ['--health', '127.0.0.1:0', '--metrics', '127.0.0.1:0'];
    return startChild({
      name: `gateway-${this.cluster}`,
      args: [...args, ...ports, '--originate-address', '127.0.0.1', '--instance', `gw-${this.cluster}`],
      env: this.#env,
      folder: this.folder,
    });
  }

  async joinVm(vm: VmOptions): Promise<Child> {
    const token = await this.run('vm', 'token', vm.service, '--port', String(vm.port));
    const where = ['--address', '127.0.0.1', '--inbound', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--dns', '127.0.0.1:0', '--no-loopback'];
    const args = ['vm', 'join', token, '--service', vm.service, '--port', String(vm.port), '--app-port', String(vm.appPort), ...where];
    const outbound = vm.outbound.flatMap((each) => ['--outbound', each]);
    return startChild({
      name: 'vm-agent',
      args: [...args, ...outbound, '--instance', 'vm-1', '--state-dir', join(this.folder, 'agent')],
      env: this.#env,
      folder: this.folder,
    });
  }

  /** The gateway port of an imported service for programs without a sidecar; undefined until it has one. */
  async gatewayPort(service: string, port: number): Promise<number | undefined> {
    const { services } = await this.status();
    const found = services.find((s) => `${s.namespace}/${s.name}` === service);
    return found?.ports.find((p) => p.port === port)?.gatewayPort;
  }

  async #tokenFile(name: string, token: string): Promise<string> {
    const path = join(this.folder, `${name}.token`);
    await writeFile(path, token, { mode: 0o600 });
    return path;
  }

  /** The configuration asked for any free port: the context file has to say which it became. */
  async #pinApi(port: number): Promise<void> {
    const text = await readFile(this.contextFile, 'utf8');
    await writeFile(this.contextFile, text.replace(/api: .*/, `api: 127.0.0.1:${port}`), { mode: 0o600 });
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** The first port of a run of `size` below the ephemeral range, whose first few are free. */
export async function freeRange(size: number): Promise<number> {
  for (let base = 16_000; base + size < 32_000; base += size) {
    const free = await Promise.all([base, base + 1, base + size / 2, base + size / 2 + 1].map(canListen));
    if (free.every(Boolean)) return base;
  }
  throw new Error('no run of free ports between 16000 and 32000');
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
