import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { tail } from './build-step.ts';
import { inNamespace, type Reach, reachFrom } from './reach.ts';
import { FOLDER_VARIABLE, makeWorkFolder, removeWorkFolder } from './work-folder.ts';

/** A real server that a test started. Every method waits for what it names; `stop` must be called, whatever the test did. */
export interface Running {
  readonly name: string;
  /** The server's own process id; changes with `restart`. */
  readonly pid: number;
  /** Its data, configuration and log. */
  readonly folder: string;
  readonly logFile: string;
  /** Requests from where the server runs: a URL of a server in a network namespace answers only there. */
  readonly reach: Reach;
  /** SIGTERM, then SIGKILL after a deadline; then removes its folder, with every process it left behind. Idempotent. */
  stop(): Promise<void>;
  /** Ends it as `stop` does but keeps its data, so that `restart` can follow. `withinMs`: SIGKILL after that; 10 s unless said. */
  terminate(withinMs?: number): Promise<void>;
  /** SIGKILL, as a crash; resolves when the process is gone. Its data stays. */
  kill9(): Promise<void>;
  /** Starts it again on the same data and ports, ending it first if it runs; resolves when it is ready. */
  restart(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. */
  suspend(): void;
  /** SIGCONT. */
  resume(): void;
}

export interface ServerSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly netns?: string | undefined;
  readonly folder: string;
  /** True when the server answers. May throw: that counts as not yet. */
  readonly ready: (reach: Reach) => Promise<boolean>;
  /** Milliseconds; 60 s unless said. */
  readonly readyTimeoutMs?: number;
}

/** Thrown when a server ended because another process had one of its ports: the start may be tried again on others. */
class PortTakenError extends Error {}

const STOP_DEADLINE_MS = 10_000;

/** Starts a server and waits until it is ready; a start that fails has ended it, and removed nothing. */
export async function startServer(spec: ServerSpec): Promise<Running> {
  const server = new ServerProcess(spec);
  await server.start();
  return server;
}

/**
 * Runs `start` with a work folder and freshly picked ports, again with others when one of them was taken in between.
 * The ports in `fixed` are kept as they are. The folder of a failed start is removed, with its processes.
 */
export async function onFreePorts<K extends string, T>(
  where: { name: string; netns?: string | undefined; fixed?: Partial<Record<K, number>> | undefined },
  keys: readonly K[],
  start: (ports: Record<K, number>, folder: string) => Promise<T>,
): Promise<T> {
  const reach = reachFrom(where.netns);
  for (let attempt = 1; ; attempt++) {
    const ports = {} as Record<K, number>;
    for (const key of keys) ports[key] = where.fixed?.[key] ?? (await reach.freePort());
    const folder = await makeWorkFolder(where.name);
    try {
      return await start(ports, folder);
    } catch (error) {
      await removeWorkFolder(folder);
      if (!(error instanceof PortTakenError) || attempt === 4) throw error;
    }
  }
}

class ServerProcess implements Running {
  readonly name: string;
  readonly folder: string;
  readonly logFile: string;
  readonly reach: Reach;
  readonly #spec: ServerSpec;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();

  constructor(spec: ServerSpec) {
    this.#spec = spec;
    this.name = spec.name;
    this.folder = spec.folder;
    this.logFile = join(spec.folder, `${spec.name}.log`);
    this.reach = reachFrom(spec.netns);
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error(`${this.name} is not running`);
    return this.#child.pid;
  }

  async start(): Promise<void> {
    this.#spawn();
    try {
      await this.#untilReady();
    } catch (error) {
      await this.kill9();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.terminate();
    await removeWorkFolder(this.folder);
  }

  async terminate(withinMs = STOP_DEADLINE_MS): Promise<void> {
    this.#child?.kill('SIGCONT');
    this.#child?.kill('SIGTERM');
    const deadline = setTimeout(() => this.#child?.kill('SIGKILL'), withinMs);
    await this.#exited;
    clearTimeout(deadline);
  }

  async kill9(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#exited;
  }

  async restart(): Promise<void> {
    await this.terminate();
    await this.start();
  }

  suspend(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  #spawn(): void {
    // The kernel ends the server when this process is killed: no test leaves one behind.
    const guarded = ['--pdeathsig', 'KILL', '--', this.#spec.command, ...this.#spec.args];
    const [command, args] = inNamespace(this.#spec.netns, 'setpriv', guarded);
    const log = openSync(this.logFile, 'a', 0o600);
    const child = spawn(command, args, {
      cwd: this.folder,
      env: {
        PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
        HOME: this.folder,
        ...this.#spec.env,
        [FOLDER_VARIABLE]: this.folder,
      },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      const gone = (): void => {
        if (this.#child === child) this.#child = undefined;
        resolve();
      };
      child.once('exit', gone);
      child.once('error', gone);
    });
  }

  async #untilReady(): Promise<void> {
    const timeoutMs = this.#spec.readyTimeoutMs ?? 60_000;
    const deadline = performance.now() + timeoutMs;
    while (this.#child !== undefined) {
      if (await this.#spec.ready(this.reach).catch(() => false)) return;
      if (performance.now() > deadline) throw await this.#failure(`was not ready in ${timeoutMs} ms`);
      await delay(50);
    }
    throw await this.#failure('ended before it was ready');
  }

  async #failure(what: string): Promise<Error> {
    const log = await tail(this.logFile, 40);
    const message = `${this.name} ${what}; the end of its log:\n${log}`;
    return /address already in use/i.test(log) ? new PortTakenError(message) : new Error(message);
  }
}
