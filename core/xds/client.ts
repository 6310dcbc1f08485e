import { toMeshError } from '../errors.ts';
import { childController, exponentialBackoff, isAborted } from '../lifecycle.ts';
import { DeltaClientState } from './client-state.ts';
import { runDeltaStream } from './client-stream.ts';
import type {
  DeltaClient,
  DeltaClientOptions,
  DeltaClientPhase,
  DeltaClientStatus,
  DeltaClientTiming,
  ResourceRejection,
  SavedResource,
} from './client-types.ts';
import type { DeltaDiscoveryRequest, DeltaDiscoveryResponse } from './gen/envoy/service/discovery/v3/discovery.ts';
import { Heartbeat } from './gen/isthmus/xds/v1/xds.ts';
import { heartbeatName, heartbeatTypeUrl } from './type-urls.ts';

const defaultTiming: DeltaClientTiming = { backoffBaseMs: 200, backoffMaxMs: 15_000, connectMs: 10_000, silenceMs: 15_000 };
/** Heartbeats that may go missing. */
const missedBeats = 3;

export function createDeltaClient(options: DeltaClientOptions): DeltaClient {
  return new GrpcDeltaClient(options);
}

class GrpcDeltaClient implements DeltaClient {
  readonly #options: DeltaClientOptions;
  readonly #timing: DeltaClientTiming;
  readonly #state = new DeltaClientState();
  #phase: DeltaClientPhase = 'idle';
  #address = '';
  #attempts = 0;
  #connectedAt: number | undefined;
  #currentAt: number | undefined;
  #silenceMs: number;
  #lastError: DeltaClientStatus['lastError'];
  #send: ((request: DeltaDiscoveryRequest) => void) | undefined;
  #replace: ((reason: string) => void) | undefined;

  constructor(options: DeltaClientOptions) {
    this.#options = options;
    this.#timing = { ...defaultTiming, ...options.timing };
    this.#silenceMs = this.#timing.silenceMs;
    this.#state.subscribe(heartbeatTypeUrl, [heartbeatName]);
  }

  subscribe(typeUrl: string, names: '*' | readonly string[]): void {
    this.#sendNow(this.#state.subscribe(typeUrl, names));
  }

  unsubscribe(typeUrl: string, names: '*' | readonly string[]): void {
    this.#sendNow(this.#state.unsubscribe(typeUrl, names));
  }

  resources(typeUrl: string) {
    return this.#state.resources(typeUrl);
  }

  isAbsent(typeUrl: string, name: string): boolean {
    return this.#state.isAbsent(typeUrl, name);
  }

  snapshot(): readonly SavedResource[] {
    return this.#state.snapshot().filter((r) => r.typeUrl !== heartbeatTypeUrl);
  }

  restore(resources: readonly SavedResource[]): void {
    this.#state.restore(resources);
  }

  reconnect(reason: string): void {
    this.#replace?.(reason);
  }

  async start(): Promise<void> {
    const { signal, random, clock, log } = this.#options;
    const { backoffBaseMs: baseMs, backoffMaxMs: maxMs } = this.#timing;
    const backoff = exponentialBackoff({ baseMs, maxMs, random });
    const offset = Math.floor(random() * 1024);
    while (!signal.aborted) {
      const heard = await this.#attempt(offset);
      if (signal.aborted) break;
      if (heard) backoff.reset();
      this.#phase = 'waiting';
      // Whoever says no will say so again.
      const slowMs = !heard && this.#lastError?.code === 'PERMISSION_DENIED' ? maxMs / 3 : 0;
      const waitMs = Math.round(backoff.next() + slowMs + random() * baseMs);
      log.warn({ address: this.#address, waitMs, error: this.#lastError?.message }, 'xDS stream lost; what is held stays in use');
      await clock.sleep(waitMs, signal).catch(() => undefined);
    }
    this.#phase = 'closed';
  }

  status(): DeltaClientStatus {
    const { clock } = this.#options;
    return {
      state: this.#phase,
      address: this.#address,
      attempts: this.#attempts,
      ...(this.#connectedAt === undefined ? {} : { connectedAt: this.#connectedAt }),
      ...(this.#currentAt === undefined ? {} : { dataAgeMs: clock.monotonic() - this.#currentAt }),
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      types: this.#state
        .typeUrls()
        .filter((typeUrl) => typeUrl !== heartbeatTypeUrl)
        .map((typeUrl) => ({
          typeUrl,
          resources: this.#state.resources(typeUrl).size,
          rejected: [...this.#state.rejected(typeUrl)].map(([name, r]) => ({ name, ...r })),
        })),
    };
  }

  /** One stream, from dialling to its end; true when the server answered on it. */
  async #attempt(offset: number): Promise<boolean> {
    const { clock, log } = this.#options;
    const { controller, release } = childController(this.#options.signal);
    this.#replace = (reason) => {
      log.info({ reason }, 'xDS stream is replaced');
      controller.abort(reason);
    };
    this.#phase = 'connecting';
    this.#silenceMs = this.#timing.silenceMs;
    let heard = false;
    try {
      this.#address = this.#nextAddress(offset);
      await runDeltaStream({
        address: this.#address,
        security: await this.#options.security(),
        clock,
        signal: controller.signal,
        onOpen: (send) => this.#opened(send),
        onMessage: (response) => {
          if (!heard) log.info({ address: this.#address }, 'xDS stream established');
          heard = true;
          return this.#answer(response);
        },
        patience: (any) => (any ? this.#silenceMs : this.#timing.connectMs),
      });
    } catch (error) {
      if (!isAborted(error) || !controller.signal.aborted) this.#lastError = toMeshError(error, 'UPSTREAM_UNREACHABLE', this.#address);
    } finally {
      release();
      this.#send = undefined;
      this.#replace = undefined;
      this.#connectedAt = undefined;
      this.#state.streamLost();
    }
    return heard;
  }

  #nextAddress(offset: number): string {
    const candidates = [...new Set([...(this.#options.addresses?.() ?? []), ...this.#options.bootstrap])];
    const address = candidates[(offset + this.#attempts) % Math.max(1, candidates.length)];
    this.#attempts += 1;
    if (address === undefined) throw new Error('no address of a control plane is configured');
    return address;
  }

  #opened(send: (request: DeltaDiscoveryRequest) => void): void {
    this.#send = send;
    // The node goes into the first request of a stream alone.
    const [first, ...rest] = this.#state.streamOpened();
    if (first !== undefined) send({ ...first, node: this.#options.node });
    for (const request of rest) send(request);
  }

  #sendNow(request: DeltaDiscoveryRequest | undefined): void {
    if (request !== undefined) this.#send?.(request);
  }

  #answer(response: DeltaDiscoveryResponse): DeltaDiscoveryRequest {
    if (this.#phase !== 'connected') {
      this.#phase = 'connected';
      this.#connectedAt = this.#options.clock.now();
      this.#lastError = undefined;
    }
    const received = this.#state.receive(response);
    if (response.typeUrl === heartbeatTypeUrl) {
      this.#beat(response);
      return this.#state.settle(received, []);
    }
    const rejections = this.#judge(received.update);
    const answer = this.#state.settle(received, rejections);
    for (const { name, reason } of [...received.malformed, ...rejections]) {
      this.#options.log.warn({ typeUrl: response.typeUrl, name, reason }, 'xDS resource refused; the version held before stays in use');
    }
    return answer;
  }

  #judge(update: Parameters<DeltaClientOptions['onUpdate']>[0]): readonly ResourceRejection[] {
    if (update.changed.length === 0 && update.removed.length === 0) return [];
    try {
      return this.#options.onUpdate(update);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return update.changed.map(({ name }) => ({ name, reason: `not applied: ${reason}` }));
    }
  }

  #beat(response: DeltaDiscoveryResponse): void {
    const bytes = response.resources[0]?.resource?.value;
    if (bytes === undefined) return;
    try {
      const beat = Heartbeat.decode(bytes);
      if (beat.intervalMs > 0) this.#silenceMs = Math.max(1_000, Math.min(beat.intervalMs * missedBeats, 300_000));
      if (!beat.current) return;
      this.#currentAt = this.#options.clock.monotonic();
      this.#options.onCurrent?.();
    } catch (error) {
      this.#options.log.warn({ error: String(error) }, 'unreadable heartbeat');
    }
  }
}
