import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../../', import.meta.url));
const cli = join(root, 'build/cli/main.js');
const patienceMs = 120_000;

/** The ports that an agent says it serves on. */
export interface RunningAgent {
  readonly pid: number;
  readonly admin: number;
  /** From its start as a process until it said that it serves. */
  readonly startMs: number;
  stop(): Promise<void>;
}

/**
 * A control plane that knows `services` services, and the state of an agent that has joined it: all of them real processes. The agent is
 * the one of the packages, with the code cache that they make when they are installed.
 */
export class AgentSite {
  readonly #dir: string;
  #control: ChildProcess | undefined;

  private constructor(dir: string) {
    this.#dir = dir;
  }

  static async start(dir: string, services: number): Promise<AgentSite> {
    const site = new AgentSite(dir);
    try {
      await site.#open(services);
    } catch (error) {
      await site.stop();
      throw error;
    }
    return site;
  }

  /** `isthmus agent` on the kept state, with `--supervise` as its unit has it where `more` says so; resolves when it serves. */
  async agent(...more: readonly '--supervise'[]): Promise<RunningAgent> {
    const begun = performance.now();
    const child = this.#spawn(['agent', '--state-dir', join(this.#dir, 'agent'), ...more], this.#packaged);
    const { ports } = (await readyLine(child)) as { readonly ports: { readonly admin: number } };
    const startMs = performance.now() - begun;
    return { pid: child.pid ?? 0, admin: ports.admin, startMs, stop: () => ended(child) };
  }

  /** How many services the agent leads to. */
  async known({ admin }: RunningAgent): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${admin}/v1/agent`);
    const { outbound } = (await response.json()) as { readonly outbound: readonly unknown[] };
    return outbound.length;
  }

  async stopControl(): Promise<void> {
    if (this.#control !== undefined) await ended(this.#control);
    this.#control = undefined;
  }

  async stop(): Promise<void> {
    await this.stopControl();
  }

  async #open(services: number): Promise<void> {
    await this.#package();
    const [config, root] = [join(this.#dir, 'isthmus.yaml'), join(this.#dir, 'root')];
    await mkdir(join(this.#dir, 'services'));
    await writeFile(join(this.#dir, 'services', 'all.yaml'), Array.from({ length: services }, (_, i) => entry(i)).join('---\n'));
    const [grpc, api, health] = [await freePort(), await freePort(), await freePort()];
    await writeFile(config, mesh({ grpc, api, health }));
    await this.#cli(['ca', 'init', '--dir', root, '--trust-domain', 'bench.test']);
    await this.#cli(['control', 'init', '-c', config]);
    this.#control = this.#spawn(['control', '-c', config]);
    await readyLine(this.#control);
    const token = (await this.#cli(['vm', 'token', 'bench/caller', '--port', '80'])).trim();
    const any = ['--inbound', '127.0.0.1:0', '--dns', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
    const where = ['--address', '127.0.0.1', '--state-dir', join(this.#dir, 'agent'), ...any];
    await this.#cli(['vm', 'join', token, '--call-only', '--discovery', 'all', '--save-only', ...where]);
  }

  async #cli(args: readonly string[]): Promise<string> {
    return (await run(process.execPath, [cli, ...args], { env: this.#env() })).stdout;
  }

  get #packaged(): string {
    return join(this.#dir, 'package/build/cli/agent.cjs');
  }

  async #package(): Promise<void> {
    const folder = join(this.#dir, 'package');
    await mkdir(join(folder, 'build/cli'), { recursive: true });
    for (const each of ['package.json', 'node_modules']) await symlink(join(root, each), join(folder, each));
    await run(process.execPath, [join(root, 'scripts/bundle-agent.mjs'), '--out', join(folder, 'build/cli')]);
    await run(process.execPath, [this.#packaged, '--write-code-cache', 'agent', '--state-dir', '/nonexistent']);
  }

  #spawn(args: readonly string[], program = cli): ChildProcess {
    return spawn(process.execPath, [program, ...args], { env: this.#env(), stdio: ['ignore', 'pipe', 'ignore'] });
  }

  #env(): NodeJS.ProcessEnv {
    return { PATH: process.env['PATH'], HOME: this.#dir, ISTHMUS_CONTEXT_FILE: join(this.#dir, 'context.yaml') };
  }
}

/** Resident memory of a process, bytes; Linux alone. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
}

/** The same of those that it has started, at this moment. */
export async function residentBytesOfChildren(pid: number): Promise<number> {
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ').map(Number);
  const each = await Promise.all(children.map(residentBytes));
  return each.reduce((sum, bytes) => sum + bytes, 0);
}

const mesh = ({ grpc, api, health }: Readonly<Record<'grpc' | 'api' | 'health', number>>) => `apiVersion: isthmus.dev/v1alpha1
kind: Mesh
metadata: {name: east}
spec:
  cluster: east
  trustDomain: bench.test
  stateDir: ./state
  identity: {rootDir: ./root}
  grpc: {listen: "127.0.0.1:${grpc}", advertise: ["127.0.0.1:${grpc}"]}
  api: {listen: "127.0.0.1:${api}"}
  health: {listen: "127.0.0.1:${health}"}
---
apiVersion: isthmus.dev/v1alpha1
kind: Registry
metadata: {name: services}
spec:
  type: file
  connection: {path: ./services}
  mapping: {claims: ["*/*"]}
`;

const entry = (i: number) => `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: service-${i}, namespace: bench}
spec:
  hosts: [service-${i}.bench.mesh.internal]
  ports: [{number: 28080, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 10.9.${Math.floor(i / 250)}.${(i % 250) + 1}}, {address: 10.10.${Math.floor(i / 250)}.${(i % 250) + 1}}]
`;

function readyLine(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let text = '';
    const late = setTimeout(() => reject(new Error(`not ready after ${patienceMs} ms`)), patienceMs);
    child.once('exit', (code) => reject(new Error(`ended with ${code} before it was ready`)));
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text = text.length > 1e6 ? text : text + chunk;
      const line = text.split('\n').find((each) => each.startsWith('{"ready":true') && each.endsWith('}'));
      if (line === undefined) return;
      clearTimeout(late);
      resolve(JSON.parse(line));
    });
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { readonly port: number };
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
