import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { buildBench } from './build-bench.ts';
import type { ProxyPlan } from './contract.ts';
import { onLoadCores } from './cores.ts';

/** A line of the load generator: `phase`, and numbers. */
export interface LoadLine {
  readonly phase: string;
  readonly [name: string]: number | string | readonly string[];
}

/** A sub-command of the load generator while it runs. Each of its phases ends with a line. */
export class LoadProcess {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #said = '';
  #awaited = false;

  private constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout === null || child.stderr === null) throw new Error('a load process has pipes');
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-2_000);
      // The origin judges what comes through, and nobody waits for its next line.
      if (!this.#awaited) process.stderr.write(text);
    });
    // A process that has ended takes no line; what it said tells why.
    child.stdin?.on('error', () => {});
  }

  static async start(args: readonly string[]): Promise<LoadProcess> {
    const [program, all] = onLoadCores(await buildBench('load'), args);
    const child = spawn(program, all, { stdio: ['pipe', 'pipe', 'pipe'] });
    await once(child, 'spawn');
    return new LoadProcess(child);
  }

  /** Its next line. Rejects with what it said when it ends instead. */
  async next(phase: string): Promise<LoadLine> {
    this.#awaited = true;
    const { done, value } = await this.#lines.next();
    this.#awaited = false;
    if (done === true) throw new Error(this.#said.trim() || 'the load generator ended early');
    const line = JSON.parse(value) as LoadLine;
    if (line.phase !== phase) throw new Error(`the load generator said ${line.phase} in place of ${phase}`);
    return line;
  }

  /** Lets it go on to its next phase. */
  go(): void {
    this.#child.stdin?.write('\n');
  }

  /** It ends when nobody listens to it any more. Idempotent. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.stdin?.end();
    const late = setTimeout(() => this.#child.kill('SIGKILL'), 5_000);
    await exited;
    clearTimeout(late);
  }
}

export interface Origin {
  readonly port: number;
  stop(): Promise<void>;
}

export async function startOrigin(plan: ProxyPlan): Promise<Origin> {
  const http = plan.kind === 'http' ? ['http-origin', '--speaks', plan.version, '--size', String(plan.size)] : undefined;
  const running = await LoadProcess.start(http ?? ['origin']);
  try {
    const { port } = await running.next('ready');
    return { port: Number(port), stop: () => running.stop() };
  } catch (error) {
    await running.stop();
    throw error;
  }
}
