import { randomUUID } from 'node:crypto';
import type { Clock } from '../../../core/clock.ts';
import { MeshError, toMeshError } from '../../../core/errors.ts';
import { controlChannel, type SvidSource } from '../../../core/identity/index.ts';
import { childController, exponentialBackoff, isAborted } from '../../../core/lifecycle.ts';
import type { Log } from '../../../core/log.ts';
import { type FlowRecorder, flowMessage } from '../../../core/telemetry/index.ts';
import { ReportBatches } from './report-batches.ts';
import { openReportStream, type ReportStream } from './report-stream.ts';

export interface FlowReporterOptions {
  readonly recorder: FlowRecorder;
  readonly identity: SvidSource;
  /** HOST:PORT of control planes, asked at each attempt. */
  readonly addresses: () => readonly string[];
  readonly instance: string;
  /** Requests and connections that nobody counted. Default none. */
  readonly lost?: (() => number) | undefined;
  readonly clock: Clock;
  /** [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** ms between reports. Default 5,000. */
  readonly everyMs?: number;
}

const answerMs = 15_000;
const farewellMs = 1_000;
/** Whatever a control plane asks for. */
const soonestMs = 500;
const latestMs = 60_000;

/**
 * Says to the control plane, every few seconds, what was counted. Traffic never waits for it: while the control plane is away counts
 * are kept for a minute, then dropped and counted; a report whose answer was lost is sent again under its number and counted once there.
 */
export class FlowReporter {
  readonly #options: FlowReporterOptions;
  readonly #batches: ReportBatches;
  readonly #epoch = randomUUID();
  #attempt = 0;
  /** ms, as the control plane asks for it; undefined: as usual. */
  #wantedMs: number | undefined;
  #onReply: () => void = () => {};

  constructor(options: FlowReporterOptions) {
    this.#options = options;
    this.#batches = new ReportBatches(options.recorder);
  }

  get dropped(): number {
    return this.#batches.dropped + (this.#options.lost?.() ?? 0);
  }

  /** Until the signal aborts, and then what is left, for a second at most. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#options;
    const backoff = exponentialBackoff({ baseMs: 500, maxMs: 10_000, random });
    let silent = false;
    while (!signal.aborted) {
      let slow = 0;
      try {
        await this.#connect(signal, () => {
          backoff.reset();
          silent = false;
        });
      } catch (error) {
        const { retryable, message } = toMeshError(error);
        // An older control plane does not know the service, and one that says no will say so again.
        slow = retryable ? 0 : 60_000;
        if (!silent) log.warn({ error: message }, 'traffic counts are not reported');
        silent = true;
      }
      this.#batches.next(clock.monotonic());
      await clock.sleep(backoff.next() + slow, signal).catch(ignoreAbort);
    }
  }

  async #connect(signal: AbortSignal, onAnswer: () => void): Promise<void> {
    const { identity, clock, addresses } = this.#options;
    const all = addresses();
    const address = all[this.#attempt++ % Math.max(1, all.length)];
    if (address === undefined) throw new MeshError('PEER_UNREACHABLE', 'no address of a control plane is known', { retryable: true });
    const channel = controlChannel(identity, { cluster: identity.current().cluster, now: () => clock.now() });
    const stream = openReportStream(address, channel, ({ sequence, nextMs }) => {
      this.#batches.acknowledged(sequence);
      this.#wantedMs = nextMs === 0 ? undefined : Math.min(Math.max(nextMs, soonestMs), latestMs);
      onAnswer();
      this.#onReply();
    });
    const over = childController(signal);
    const saying = this.#say(stream, over.controller.signal);
    try {
      await Promise.race([stream.ended, saying]);
    } finally {
      if (signal.aborted) await this.#farewell(stream);
      over.controller.abort();
      over.release();
      stream.destroy();
      await saying.catch(() => undefined);
    }
  }

  async #say(stream: ReportStream, signal: AbortSignal): Promise<void> {
    const { clock, random, everyMs = 5_000 } = this.#options;
    try {
      for (;;) {
        await this.#exchange(stream, answerMs, signal);
        await clock.sleep((this.#wantedMs ?? everyMs) * (0.9 + random() * 0.2), signal);
      }
    } catch (error) {
      ignoreAbort(error);
    }
  }

  /** Sends what is due and waits for its acknowledgement. */
  async #exchange(stream: ReportStream, withinMs: number, signal: AbortSignal): Promise<void> {
    const { clock, instance } = this.#options;
    const now = clock.monotonic();
    const { sequence, flows, closedAt } = this.#batches.next(now);
    const { promise, resolve } = deferred();
    this.#onReply = () => {
      if (this.#batches.waiting?.sequence !== sequence) resolve();
    };
    const [epoch, dropped] = [this.#epoch, this.dropped];
    const ageMs = Math.round(now - closedAt);
    stream.send({ instance, epoch, sequence, ageMs, dropped, flows: flows.map(flowMessage), countsOpened: true });
    const { controller: timer, release } = childController(signal);
    const late = clock.sleep(withinMs, timer.signal).then(() => {
      throw new MeshError('DEADLINE_EXCEEDED', 'the control plane does not acknowledge reports', { retryable: true });
    });
    try {
      await Promise.race([promise, late]);
    } finally {
      release();
      timer.abort();
      late.catch(() => undefined);
    }
  }

  /** What was counted since the last report. Twice, because one may be on its way. */
  async #farewell(stream: ReportStream): Promise<void> {
    const gone = stream.ended.catch(() => undefined);
    const { signal } = new AbortController();
    for (let i = 0; i < 2; i++) await Promise.race([gone, this.#exchange(stream, farewellMs / 2, signal).catch(() => undefined)]);
    stream.finish();
  }
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

function ignoreAbort(error: unknown): void {
  if (!isAborted(error)) throw error;
}
