import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { parseAccessLog, parseEnvoyLog, relayLines } from './log-lines.ts';

export interface ChildSpec {
  readonly binary: string;
  readonly args: readonly string[];
  readonly log: Log;
  readonly accessLog: (entry: Readonly<Record<string, unknown>>) => void;
  readonly clock: Clock;
}

const killAfterMs = 3_000;

/**
 * Envoy asks the kernel to end it when its parent dies, and so would go with an agent that is killed. Its parent is a shell that does
 * nothing but wait: Envoy serves on, also when nobody reads what it writes any more, until the next agent takes over.
 */
const script = `trap '' PIPE HUP INT
"$0" "$@" 3>&- &
echo $! >&3
exec 3>&-
wait $!`;

/** One Envoy process that we started. Only its own id is ever signalled, and never once it has ended. */
export class EnvoyChild {
  /** Undefined when it could not be started. */
  readonly pid: Promise<number | undefined>;
  /** Monotonic ms. */
  readonly startedAt: number;
  /** Why it ended, for people; never rejects. */
  readonly exited: Promise<string>;
  readonly #clock: Clock;
  #ended = false;

  constructor({ binary, args, log, accessLog, clock }: ChildSpec) {
    this.#clock = clock;
    this.startedAt = clock.monotonic();
    // In a group of its own: what a terminal sends to ours must not end it before it has drained.
    const child = spawn('/bin/sh', ['-c', script, binary, ...args], { stdio: ['ignore', 'pipe', 'pipe', 'pipe'], detached: true });
    this.exited = new Promise((resolve) => {
      const end = (reason: string) => {
        this.#ended = true;
        resolve(reason);
      };
      child.once('error', (error) => end(`could not be started: ${error.message}`));
      child.once('exit', (code, signal) => end(exitReason(code, signal)));
    });
    const [, stdout, stderr, said] = child.stdio as (Readable | null)[];
    if (stderr) relayLines(stderr, (line) => sayLine(log, line));
    if (stdout)
      relayLines(stdout, (line) => {
        const entry = parseAccessLog(line);
        if (entry !== undefined) accessLog(entry);
      });
    this.pid = Promise.race([
      new Promise<number | undefined>((resolve) => {
        if (said) relayLines(said, (line) => resolve(Number(line) || undefined));
      }),
      this.exited.then(() => undefined),
    ]);
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** SIGTERM, which ends Envoy at once, and SIGKILL when it does not. */
  async end(): Promise<void> {
    await this.#signal('SIGTERM');
    if (this.#ended) return;
    const late = new AbortController();
    const kill = this.#clock.sleep(killAfterMs, late.signal).then(
      () => this.#signal('SIGKILL'),
      () => undefined,
    );
    await this.exited;
    late.abort();
    await kill;
  }

  async #signal(name: NodeJS.Signals): Promise<void> {
    const pid = await this.pid;
    if (pid === undefined || this.#ended) return;
    try {
      process.kill(pid, name);
    } catch {
      // It has just ended; its shell is about to say so.
    }
  }
}

/** A shell says the end by a signal as 128 and its number. */
function exitReason(code: number | null, signal: NodeJS.Signals | null): string {
  const [name] = Object.entries(constants.signals).find(([, number]) => code === 128 + number) ?? [signal];
  return name === null ? `ended with code ${code}` : `ended by ${name}`;
}

function sayLine(log: Log, line: string): void {
  const said = parseEnvoyLog(line);
  if (said !== undefined) log[said.level]({ process: 'envoy', ...(said.logger === '' ? {} : { logger: said.logger }) }, said.message);
}
