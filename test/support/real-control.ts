import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ApiClient } from '../../cli/api-client.ts';
import { type CliResult, runCli } from './run-cli.ts';

const main = fileURLToPath(new URL('../../cli/main.js', import.meta.url));

const logKept = 262_144;

/** One control plane as users run it: a process, killed and started again at will, and the commands that call it. */
export class RealControl {
  readonly dir: string;
  readonly config: string;
  readonly cluster: string;
  #child: ChildProcess | undefined;
  #credential = '';
  #api = 0;
  #health = 0;
  #log = '';

  private constructor(dir: string, cluster: string) {
    this.dir = dir;
    this.cluster = cluster;
    this.config = join(dir, 'config');
  }

  /** Its state is in `dir`; not started yet. `more`: documents beside the Mesh. */
  static async make(dir: string, cluster: string, more = '', mesh: object = {}): Promise<RealControl> {
    const control = new RealControl(dir, cluster);
    await mkdir(control.config, { recursive: true });
    const spec = {
      cluster,
      trustDomain: 'mesh.test',
      stateDir: join(dir, 'state'),
      grpc: { listen: '127.0.0.1:0' },
      api: { listen: '127.0.0.1:0' },
      health: { listen: '127.0.0.1:0' },
      identity: { rootDir: join(dir, 'root') },
      ...mesh,
    };
    const object = { apiVersion: 'isthmus.dev/v1alpha1', kind: 'Mesh', metadata: { name: cluster }, spec };
    await control.write('mesh.yaml', JSON.stringify(object));
    if (more !== '') await control.write('more.yaml', more);
    await sound(await runCli(['ca', 'init', '--dir', join(dir, 'root'), '--trust-domain', 'mesh.test'], { HOME: dir }));
    const made = await sound(await runCli(['control', 'init', '-c', control.config, '--output', 'json'], { HOME: dir }));
    control.#credential = (JSON.parse(made.out) as { credential: string }).credential;
    await writeFile(join(dir, 'credential'), control.#credential, { mode: 0o600 });
    return control;
  }

  /** A file of its configuration folder, which it watches. */
  write(name: string, text: string): Promise<void> {
    return writeFile(join(this.config, name), text);
  }

  /** Resolves when it is up. */
  async start(): Promise<void> {
    const { PATH = '' } = process.env;
    const child = spawn(process.execPath, [main, 'control', '-c', this.config, '--drain', '1s'], {
      env: { PATH, HOME: this.dir },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    const ended = once(child, 'close');
    let out = '';
    child.stderr.on('data', (part: Buffer) => {
      this.#log = `${this.#log}${part}`.slice(-logKept);
    });
    const ready = new Promise<string>((resolve) => {
      child.stdout.on('data', (part: Buffer) => {
        out += part.toString();
        const [line, rest] = out.split('\n');
        if (rest !== undefined && line !== undefined) resolve(line);
      });
    });
    const first = await Promise.race([ready, ended.then(() => undefined)]);
    if (first === undefined) throw new Error(`the control plane ended: ${this.#log.slice(-4_000)}`);
    const { ports } = JSON.parse(first) as { ports: { api: number; health: number } };
    this.#api = ports.api;
    this.#health = ports.health;
  }

  /** Without any goodbye. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /** Idempotent. */
  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  /** What it has logged, over all its starts; the last 256 KiB. */
  get log(): string {
    return this.#log;
  }

  /** As Prometheus would read them. */
  async metrics(): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.#health}/metrics`)).text();
  }

  /** What its API answers, without a process for the question. */
  async get<T>(path: string): Promise<T> {
    const caPem = await readFile(join(this.dir, 'state', 'api-ca.pem'), 'utf8');
    const target = { host: '127.0.0.1', port: this.#api, caPem, credential: this.#credential };
    return new ApiClient(target, new AbortController().signal).get<T>(path);
  }

  /** A command against it. */
  cli(...args: string[]): Promise<CliResult> {
    return runCli(args, this.cliEnvironment());
  }

  /** What tells the command where the API is and who asks. */
  cliEnvironment(): Readonly<Record<string, string>> {
    return {
      HOME: this.dir,
      ISTHMUS_API: `127.0.0.1:${this.#api}`,
      // Before it has joined a mesh, too.
      ISTHMUS_CA_FILE: join(this.dir, 'state', 'api-ca.pem'),
      ISTHMUS_CREDENTIAL_FILE: join(this.dir, 'credential'),
    };
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'close');
    child.kill(signal);
    await ended;
  }
}

function sound(result: CliResult): CliResult {
  if (result.code !== 0) throw new Error(`${result.out}${result.err}`);
  return result;
}
