import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { until } from '../until.ts';
import type { Brief, Look } from './brief.ts';
import { allowDescriptors, descriptorsOf } from './process-limits.ts';

const program = fileURLToPath(new URL('./engine-child.js', import.meta.url));

/** An engine in a process of its own, whose limits are no test's. It ends with its parent. */
export class EngineProcess {
  readonly #child: ChildProcess;
  readonly #pid: number;
  readonly #exited: Promise<unknown>;
  /** Of its listeners, which lead to the same place. */
  readonly ports: { readonly sni: number; readonly plain: number };

  private constructor(child: ChildProcess, exited: Promise<unknown>, ports: EngineProcess['ports']) {
    this.#child = child;
    this.#exited = exited;
    this.#pid = child.pid ?? 0;
    this.ports = ports;
  }

  /** `under`: a program, and its arguments, that becomes the one that follows them. */
  static async start(brief: Brief, under: readonly string[] = []): Promise<EngineProcess> {
    const [execPath = process.execPath, ...first] = [...under, process.execPath];
    const child = fork(program, [], {
      execPath,
      execArgv: [...first, ...process.execArgv],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const exited = once(child, 'exit');
    child.send(brief);
    const said = await Promise.race([once(child, 'message'), exited.then(() => undefined)]);
    if (said === undefined) throw new Error(`the ${brief.engine} engine ended before it served`);
    return new EngineProcess(child, exited, said[0] as EngineProcess['ports']);
  }

  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await this.#exited;
  }

  async look(): Promise<Look> {
    const answer = once(this.#child, 'message');
    this.#child.send('look');
    const [look] = await answer;
    return look as Look;
  }

  /** Once it has told of all that have ended: engines count at once and tell in batches, attempts and troubles before the ends that they led to. */
  told(): Promise<Look> {
    return until('all ends to be told of', async () => {
      const look = await this.look();
      return look.reported === look.accepted - look.open ? look : undefined;
    });
  }

  descriptors(): Promise<number> {
    return descriptorsOf(this.#pid);
  }

  /** Bytes of memory that are the process's own and resident. */
  async memory(): Promise<number> {
    const status = await readFile(`/proc/${this.#pid}/status`, 'utf8');
    return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
  }

  allowDescriptors(most: number): Promise<void> {
    return allowDescriptors(this.#pid, most);
  }
}
