import type { ChildProcess } from 'node:child_process';
import type { Clock } from '../../core/clock.ts';
import { type Backoff, exponentialBackoff } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import type { Handle } from './kept-listeners.ts';
import type { ToSupervisor, ToWorker } from './protocol.ts';

export interface SupervisorOptions {
  /** Starts a worker of the version that is installed now, with a channel. */
  readonly fork: () => ChildProcess;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** A worker that has not loaded by then is given up. Default 30 s. */
  readonly loadMs?: number;
  /** A worker that has not let go of the state by then is killed. Default 15 s. */
  readonly releaseMs?: number;
}

interface Worker {
  readonly child: ChildProcess;
  state: 'loading' | 'loaded' | 'begun' | 'ready' | 'handing-over' | 'leaving' | 'ended';
  timer: NodeJS.Timeout | undefined;
}

const loadMs = 30_000;
const releaseMs = 15_000;

/**
 * Keeps an agent's listening sockets while workers come and go. `upgrade` starts a worker of the version that is installed now, and only
 * when that has loaded does the one that serves let go: of the state directory first, of its connections as they end. A worker that is
 * killed is replaced; who connects meanwhile waits in the kernel's queue.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #kept = new Map<string, Handle>();
  readonly #workers = new Set<Worker>();
  readonly #backoff: Backoff;
  #current: Worker | undefined;
  #next: Worker | undefined;
  /** Somebody asked for one that takes over before the one that is to be taken over from served. */
  #again = false;
  #stopping = false;
  #code = 0;
  #settle: (code: number) => void = () => {};

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#backoff = exponentialBackoff({ baseMs: 250, maxMs: 15_000, random: options.random });
  }

  /** Resolves with the exit code: that of a worker that ended by itself before it ever served, or was told to; 0 after a clean end. */
  run(signal: AbortSignal): Promise<number> {
    const ended = new Promise<number>((resolve) => {
      this.#settle = resolve;
    });
    this.#current = this.#start();
    signal.addEventListener('abort', () => this.#stop(), { once: true });
    if (signal.aborted) this.#stop();
    return ended;
  }

  /** Process id of the worker that serves, or will. */
  get pid(): number | undefined {
    return this.#current?.child.pid;
  }

  /** Idempotent while one is under way. One that comes while the worker does not serve yet is for when it does: it may have read what stood there before. */
  upgrade(): void {
    if (this.#stopping || this.#next !== undefined || this.#current?.state === 'handing-over') {
      this.#options.log.warn({ pid: this.pid }, 'no worker is taken over from now: one is starting already');
      return;
    }
    if (this.#current?.state !== 'ready') {
      this.#options.log.info({ pid: this.pid }, 'a new worker takes over as soon as this one serves');
      this.#again = true;
      return;
    }
    this.#again = false;
    this.#options.log.info({ pid: this.pid }, 'a new worker takes over');
    this.#next = this.#start();
  }

  #start(): Worker {
    const child = this.#options.fork();
    const worker: Worker = { child, state: 'loading', timer: undefined };
    this.#workers.add(worker);
    child.on('message', (message: ToSupervisor, handle: unknown) => this.#hear(worker, message, handle as Handle | undefined));
    child.once('exit', (code, name) => this.#onExit(worker, code, name));
    child.once('error', (error) => {
      this.#options.log.error({ error: error.message }, 'a worker could not be started');
      if (child.pid === undefined) this.#onExit(worker, 1, null);
    });
    this.#limit(worker, this.#options.loadMs ?? loadMs, 'a worker did not load in time');
    return worker;
  }

  #hear(worker: Worker, message: ToSupervisor, handle: Handle | undefined): void {
    switch (message.say) {
      case 'loaded':
        this.#onLoaded(worker);
        break;
      case 'keep':
        if (handle !== undefined) this.#kept.set(message.key, handle);
        break;
      case 'drop':
        // Who has handed over has no say in what its successor keeps.
        if (worker === this.#current) this.#forget(message.key);
        break;
      case 'ready':
        worker.state = 'ready';
        this.#backoff.reset();
        this.#options.log.info({ pid: worker.child.pid, listeners: this.#kept.size }, 'the worker serves');
        if (this.#again) this.upgrade();
        break;
      case 'released':
        this.#onReleased(worker);
        break;
      case 'cannot':
        this.#onCannot(worker, message.reason);
        break;
      default: // a newer worker's word
    }
  }

  #onLoaded(worker: Worker): void {
    clearTimeout(worker.timer);
    worker.state = 'loaded';
    const current = this.#current;
    if (worker === current) this.#begin(worker);
    else if (worker === this.#next && current !== undefined) {
      current.state = 'handing-over';
      this.#say(current, { say: 'hand-over' });
      this.#limit(current, this.#options.releaseMs ?? releaseMs, 'the worker before did not let go in time');
    }
  }

  #onCannot(worker: Worker, reason: string): void {
    this.#options.log.error({ reason }, 'the worker cannot be taken over from: restart the agent instead');
    clearTimeout(worker.timer);
    if (worker.state === 'handing-over') worker.state = 'ready';
    this.#next?.child.kill('SIGKILL');
  }

  #onReleased(worker: Worker): void {
    clearTimeout(worker.timer);
    if (worker !== this.#current) return;
    worker.state = 'leaving';
    this.#promote();
  }

  #promote(): void {
    const next = this.#next;
    this.#next = undefined;
    this.#current = next ?? this.#start();
    if (next?.state === 'loaded') this.#begin(next);
  }

  #begin(worker: Worker): void {
    worker.state = 'begun';
    for (const [key, handle] of this.#kept) this.#say(worker, { say: 'kept', key }, handle);
    this.#say(worker, { say: 'begin' });
  }

  #onExit(worker: Worker, code: number | null, name: NodeJS.Signals | null): void {
    if (worker.state === 'ended') return;
    const was = worker.state;
    worker.state = 'ended';
    clearTimeout(worker.timer);
    this.#workers.delete(worker);
    if (this.#stopping) {
      if (worker === this.#current) this.#code = code ?? 1;
      if (this.#workers.size === 0) this.#settle(this.#code);
    } else if (worker === this.#next) {
      this.#next = undefined;
      this.#options.log.error({ code, signal: name }, 'the new worker did not come up: the one before goes on');
    } else if (worker === this.#current) this.#onLoss(was, code, name);
  }

  /** The one that serves has ended, and nobody told it to. */
  #onLoss(was: Worker['state'], code: number | null, name: NodeJS.Signals | null): void {
    // It left the mesh; or it cannot run at all, which one more would not either.
    if (this.#next === undefined && was !== 'handing-over' && (code === 0 || (code !== null && was !== 'ready'))) {
      this.#code = code;
      this.#stop();
      return;
    }
    this.#options.log.error({ code, signal: name, listeners: this.#kept.size }, 'the worker ended: another one takes its place');
    if (this.#next !== undefined || was === 'handing-over') {
      this.#promote();
      return;
    }
    void this.#options.clock.sleep(this.#backoff.next()).then(() => {
      if (!this.#stopping) this.#current = this.#start();
    });
  }

  /** Those that still finish what they had, too. */
  #stop(): void {
    this.#stopping = true;
    if (this.#workers.size === 0) this.#settle(this.#code);
    for (const { child } of this.#workers) child.kill('SIGTERM');
  }

  #forget(key: string): void {
    (this.#kept.get(key) as { close?: () => void } | undefined)?.close?.();
    this.#kept.delete(key);
  }

  #say(worker: Worker, message: ToWorker, handle?: Handle): void {
    worker.child.send(message, handle, {}, () => {});
  }

  #limit(worker: Worker, ms: number, complaint: string): void {
    clearTimeout(worker.timer);
    worker.timer = setTimeout(() => {
      this.#options.log.error({ pid: worker.child.pid, ms }, complaint);
      worker.child.kill('SIGKILL');
    }, ms);
  }
}
