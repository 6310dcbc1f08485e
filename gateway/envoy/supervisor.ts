import { createHash } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import { writeOwnerOnly } from '../../core/identity/index.ts';
import { exponentialBackoff, isAborted } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import { EnvoyAdmin } from './admin-client.ts';
import type { EnvoyBinary } from './binary.ts';
import { EnvoyChild } from './child.ts';
import { endLeftover } from './end-leftover.ts';
import { envoyLogFormat } from './log-lines.ts';
import type { envoyFiles } from './node-file.ts';
import { type EnvoyProcess, forgetProcess, leftRunning, rememberProcess } from './process-file.ts';
import { type EnvoyFacts, readStats, statsPath } from './stats.ts';

export interface SupervisorOptions {
  readonly binary: EnvoyBinary;
  readonly files: ReturnType<typeof envoyFiles>;
  /** Its admin interface must be `files.admin`. */
  readonly bootstrap: object;
  readonly drainMs: number;
  /** Worker threads; undefined: one for each processor. */
  readonly concurrency: number | undefined;
  readonly log: Log;
  readonly accessLog: (entry: Readonly<Record<string, unknown>>) => void;
  readonly clock: Clock;
  readonly random: () => number;
}

export interface SupervisorStatus {
  readonly state: 'starting' | 'live' | 'down' | 'draining' | 'ended';
  readonly version: string;
  readonly pid?: number;
  /** Times that it ended without being told to. */
  readonly restarts: number;
  readonly lastExit?: string;
  /** Of the last answer; undefined while it has given none. */
  readonly facts?: EnvoyFacts;
  /** Since its stream to the control plane was last open, or since it started; 0 while it is. */
  readonly disconnectedMs: number;
}

const pollMs = 1_000;
const drainPollMs = 50;
/** A process that lived this long is tried again at once, the next time. */
const settledMs = 30_000;
/** Linux takes 107 bytes for a socket's path; Envoy adds this much to what it is given. */
const longestFolder = 107 - 'restart_parent_4294967295'.length - 1;

/** Keeps one Envoy running until it is drained or disposed. Its end is never ours: it is started again. */
export class EnvoySupervisor {
  readonly admin: EnvoyAdmin;
  readonly #options: SupervisorOptions;
  readonly #stop = new AbortController();
  #child: EnvoyChild | undefined;
  #pid: number | undefined;
  #facts: EnvoyFacts | undefined;
  #live = false;
  #draining = false;
  #restarts = 0;
  #lastExit: string | undefined;
  /** Monotonic ms. */
  #connectedAt = 0;
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.admin = new EnvoyAdmin(options.files.admin);
  }

  /**
   * Starts it, or takes over from the Envoy of an agent that was killed: by hot restart, so that no connection is lost. Resolves when
   * the process runs; `status` says when it serves. MeshError CONFIG_INVALID when the folder's path is too long for its sockets.
   */
  async start(): Promise<void> {
    const { files, bootstrap } = this.#options;
    if (Buffer.byteLength(files.dir) > longestFolder) {
      throw new MeshError('CONFIG_INVALID', `${files.dir} is too long for Envoy's sockets: choose a shorter --state-dir`);
    }
    await writeOwnerOnly(files.bootstrap, `${JSON.stringify(bootstrap)}\n`);
    const before = await leftRunning(files.process);
    await this.#spawn(before === undefined ? 0 : before.epoch + 1);
    if (before !== undefined) await this.#takeOver(before);
    this.#running = Promise.all([this.#keep(), this.#watch()]);
  }

  status(): SupervisorStatus {
    const { version } = this.#options.binary;
    const running = this.#child !== undefined && !this.#child.ended;
    const pid = this.#pid;
    const state = this.#stop.signal.aborted ? 'ended' : !running ? 'down' : this.#draining ? 'draining' : this.#live ? 'live' : 'starting';
    return {
      state,
      version,
      ...(running && pid !== undefined ? { pid } : {}),
      restarts: this.#restarts,
      ...(this.#lastExit === undefined ? {} : { lastExit: this.#lastExit }),
      ...(this.#facts === undefined ? {} : { facts: this.#facts }),
      disconnectedMs: this.#facts?.connected === true ? 0 : Math.round(this.#options.clock.monotonic() - this.#connectedAt),
    };
  }

  /** Resolves when Envoy serves, or after `patienceMs`. Rejects with MeshError ABORTED. */
  async live(patienceMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const late = clock.monotonic() + patienceMs;
    while (!this.#live && clock.monotonic() < late) await clock.sleep(drainPollMs, signal);
  }

  /** Callers are told to go, new ones are still taken for a while; resolves when nothing runs any more, or `deadlineMs` is over. */
  async drain(deadlineMs: number): Promise<void> {
    const { clock } = this.#options;
    const deadline = clock.monotonic() + deadlineMs;
    this.#draining = true;
    await this.admin.post('/drain_listeners?graceful').catch(() => undefined);
    for (let quiet = 0; quiet < 2 && clock.monotonic() < deadline && this.#child?.ended === false; ) {
      await this.#poll();
      quiet = this.#facts !== undefined && this.#facts.busy === 0 ? quiet + 1 : 0;
      await clock.sleep(drainPollMs);
    }
  }

  /** Ends it. Idempotent. */
  async dispose(): Promise<void> {
    this.#stop.abort();
    await this.#child?.end();
    await this.#running;
    if (this.#child !== undefined) await forgetProcess(this.#options.files.process);
  }

  async #spawn(epoch: number): Promise<void> {
    const { binary, files, log, accessLog, clock } = this.#options;
    this.#live = false;
    this.#facts = undefined;
    this.#pid = undefined;
    this.#child = new EnvoyChild({ binary: binary.path, args: this.#args(epoch), log, accessLog, clock });
    this.#connectedAt = this.#child.startedAt;
    const pid = await this.#child.pid;
    this.#pid = pid;
    if (pid !== undefined) await rememberProcess(files.process, pid, epoch);
    log.info({ pid, version: binary.version, epoch }, 'Envoy started');
  }

  #args(epoch: number): string[] {
    const { files, drainMs, concurrency } = this.#options;
    const drainSeconds = Math.min(10, Math.max(1, Math.floor(drainMs / 3_000)));
    const { dir } = files;
    // The same for every start on this folder, so that a start finds the Envoy before it.
    const baseId = 1 + (createHash('sha256').update(dir).digest().readUInt32BE(0) % 400_000_000);
    return [
      ...['-c', files.bootstrap, '--base-id', String(baseId), '--restart-epoch', String(epoch)],
      ...['--socket-path', `${dir}/restart`, '--socket-mode', '600'],
      ...['--drain-time-s', String(drainSeconds), '--drain-strategy', 'immediate', '--parent-shutdown-time-s', String(drainSeconds + 2)],
      ...['--log-format', envoyLogFormat, '--log-level', 'info'],
      // Signs of trouble are read from its access log, which it would keep for 10 s.
      ...['--file-flush-interval-msec', '1000'],
      ...(concurrency === undefined ? [] : ['--concurrency', String(concurrency)]),
    ];
  }

  /** The old one leaves by itself once the new one serves. If it does not let the new one in, it is ended first. */
  async #takeOver(before: EnvoyProcess): Promise<void> {
    const { log, clock, drainMs } = this.#options;
    log.info({ pid: before.pid }, 'taking over from the Envoy that the last agent left running');
    await clock.sleep(pollMs, this.#stop.signal);
    if (this.#child?.ended !== true) return;
    log.warn({ pid: before.pid }, 'it does not hand over: draining it, and starting anew');
    await endLeftover({ process: before, admin: this.admin, drainMs, clock });
    await this.#spawn(0);
  }

  async #keep(): Promise<void> {
    const { clock, random, log } = this.#options;
    const { signal } = this.#stop;
    const backoff = exponentialBackoff({ baseMs: 100, maxMs: 10_000, random });
    while (!signal.aborted && this.#child !== undefined) {
      const child = this.#child;
      const reason = await child.exited;
      this.#live = false;
      this.#facts = undefined;
      if (signal.aborted || this.#draining) return;
      this.#restarts += 1;
      this.#lastExit = reason;
      if (clock.monotonic() - child.startedAt > settledMs) backoff.reset();
      const waitMs = Math.round(backoff.next());
      log.error({ pid: this.#pid, reason, waitMs }, 'Envoy ended: starting it again');
      try {
        await clock.sleep(waitMs, signal);
        await this.#spawn(0);
      } catch (error) {
        if (!isAborted(error)) log.error({ error: String(error) }, 'Envoy could not be started');
      }
    }
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      if (!this.#draining) await this.#poll();
      await this.#options.clock.sleep(this.#live ? pollMs : drainPollMs, signal).catch(() => undefined);
    }
  }

  async #poll(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.ended) return;
    try {
      const ready = await this.admin.get('/ready');
      const stats = await this.admin.get(statsPath, { maxBytes: 8 * 1024 * 1024 });
      if (child !== this.#child || child.ended) return;
      this.#live = ready.status === 200;
      this.#facts = readStats(stats.body);
      if (this.#facts?.connected === true) this.#connectedAt = this.#options.clock.monotonic();
    } catch {
      // It has not opened its admin interface yet, or is too busy: what was known stays.
    }
  }
}
