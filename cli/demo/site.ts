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

const firstFree = 10_000;
const freePorts = 5_000;
let tried = 0;

/**
 * A port that is free now, for somebody who listens there later: below the ephemeral range, where any connection may take it meanwhile, and below
 * those of `holdRange`. Never the same twice, and each process begins at a place of its own.
 */
export async function freePort(): Promise<number> {
  while (tried < freePorts) {
    const port = firstFree + ((process.pid * 61 + tried) % freePorts);
    tried += 1;
    if (await canListen(port)) return port;
  }
  throw new Error(`no free port between ${firstFree} and ${firstFree + freePorts}`);
}

export interface HeldRange {
  /** Inclusive. */
  readonly ports: readonly [number, number];
  release(): Promise<void>;
}

/**
 * A run of ports below the ephemeral range, for gateways that listen there later. Whoever asks for one meanwhile gets another, also in another
 * process: the port before its first is listened on until `release`.
 */
export async function holdRange(size: number): Promise<HeldRange> {
  for (let base = 16_000; base + size <= 32_000; base += size) {
    const release = await listenOn(base);
    if (release === undefined) continue;
    if (await canListen(base + 1)) return { ports: [base + 1, base + size - 1], release };
    await release();
  }
  throw new Error('no run of free ports between 16000 and 32000');
}

async function canListen(port: number): Promise<boolean> {
  const release = await listenOn(port);
  await release?.();
  return release !== undefined;
}

/** Undefined: somebody else has the port. Does not keep the process up. */
function listenOn(port: number): Promise<(() => Promise<void>) | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy()).once('error', () => resolve(undefined));
    server.unref().listen(port, '127.0.0.1', () => resolve(() => new Promise((closed) => server.close(() => closed()))));
  });
}
