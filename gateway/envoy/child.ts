import { type ChildProcess, spawn } from 'node:child_process';
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

/** One Envoy process that we started. Only its own id is ever signalled, and never once it has ended. */
export class EnvoyChild {
  readonly pid: number | undefined;
  /** Monotonic ms. */
  readonly startedAt: number;
  /** Why it ended, for people; never rejects. */
  readonly exited: Promise<string>;
  readonly #child: ChildProcess;
  readonly #clock: Clock;
  #ended = false;

  constructor({ binary, args, log, accessLog, clock }: ChildSpec) {
    this.#clock = clock;
    this.startedAt = clock.monotonic();
    // In a group of its own: what a terminal sends to ours must not end it before it has drained.
    this.#child = spawn(binary, [...args], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    this.pid = this.#child.pid;
    this.exited = new Promise((resolve) => {
      const end = (reason: string) => {
        this.#ended = true;
        resolve(reason);
      };
      this.#child.once('error', (error) => end(`could not be started: ${error.message}`));
      this.#child.once('exit', (code, signal) => end(signal === null ? `ended with code ${code}` : `ended by ${signal}`));
    });
    const { stderr, stdout } = this.#child;
    if (stderr !== null) relayLines(stderr, (line) => sayLine(log, line));
    if (stdout !== null)
      relayLines(stdout, (line) => {
        const entry = parseAccessLog(line);
        if (entry !== undefined) accessLog(entry);
      });
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** SIGTERM, which ends Envoy at once, and SIGKILL when it does not. */
  async end(): Promise<void> {
    if (this.#ended) return;
    this.#child.kill('SIGTERM');
    const late = new AbortController();
    const kill = this.#clock.sleep(killAfterMs, late.signal).then(
      () => this.#child.kill('SIGKILL'),
      () => undefined,
    );
    await this.exited;
    late.abort();
    await kill;
  }
}

function sayLine(log: Log, line: string): void {
  const said = parseEnvoyLog(line);
  if (said !== undefined) log[said.level]({ component: 'envoy', ...(said.logger === '' ? {} : { logger: said.logger }) }, said.message);
}
