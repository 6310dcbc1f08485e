import { isIP, type Socket } from 'node:net';
import { cpuCount } from '../../../core/cpu-count.ts';
import { MeshError, toMeshError } from '../../../core/errors.ts';
import { Deadlines, type Timed } from '../../deadlines.ts';
import type { EndpointState } from '../../state/types.ts';
import type {
  ConnectionEnds,
  DialRequest,
  DialResult,
  Engine,
  EngineCounters,
  EngineListener,
  EngineListenerSpec,
  EngineOptions,
  EngineTables,
  Latency,
  PlaceNews,
} from '../contract.ts';
import { keepAliveAfterMs } from '../node/dialer.ts';
import { NodeEngine } from '../node/node-engine.ts';
import { usualQuietMs } from '../node/serve-exposed.ts';
import type { NativeAddon } from './addon.ts';
import { TablesEncoder } from './encode-tables.ts';
import type { NativeCounters, NativeLatencies, NativePlace } from './messages.ts';
import { NativeDials } from './native-dials.ts';
import { NativeEvents } from './native-events.ts';
import { NativeListeners } from './native-listeners.ts';
import { PairedEnds } from './paired-ends.ts';

/** Shares of those that warm up or return are told so often. */
const growMs = 250;
const mostPipes = 256;
const drainLookMs = 20;

/**
 * The engine in Rust: threads of its own carry what their tables let them. Everything else, whatever needs requests to be seen or is not
 * carried there yet, comes to a node engine behind it, as if that had accepted it.
 */
export class NativeEngine implements Engine {
  readonly name = 'native';
  readonly #addon: NativeAddon;
  readonly #options: EngineOptions;
  readonly #engine: number;
  readonly #encoder: TablesEncoder;
  readonly #node: NodeEngine;
  readonly #listeners: NativeListeners;
  readonly #ends: PairedEnds;
  readonly #dials: NativeDials;
  readonly #events: NativeEvents;
  readonly #deadlines: Deadlines;
  readonly #growth: Timed & { deadline: number } = { deadline: 0, expire: () => this.#tellTables() };
  #tables: EngineTables;
  #disposed = false;
  /** Once it is disposed. */
  #last: NativeCounters | undefined;
  #onIdle: (() => void) | undefined;

  constructor(addon: NativeAddon, options: EngineOptions, tables: EngineTables) {
    this.#addon = addon;
    this.#options = options;
    this.#tables = tables;
    this.#node = new NodeEngine(options, tables);
    this.#encoder = new TablesEncoder(options.random, options.clock, options.caller ?? { namespace: '', labels: {} });
    this.#deadlines = new Deadlines(options.clock, growMs);
    const limits = { quietMs: usualQuietMs, ...options.limits };
    const { threads = Math.min(64, cpuCount()) } = options;
    const seed = Math.floor(options.random() * Number.MAX_SAFE_INTEGER);
    const native = { limits, threads, seed, keepAliveS: keepAliveAfterMs / 1_000, maxPipes: mostPipes, resume: options.resumeTls ?? true };
    this.#engine = addon.create(JSON.stringify(native), () => {
      if (!this.#disposed) this.#takeEvents();
    });
    this.#listeners = new NativeListeners(addon, this.#engine, options.listeners);
    this.#ends = new PairedEnds(addon, this.#engine);
    this.#dials = new NativeDials(addon, this.#engine, options.admit, this.#ends);
    const own = { addon, options, engine: this.#engine, encoder: this.#encoder, node: this.#node };
    this.#events = new NativeEvents({ ...own, listeners: this.#listeners, ends: this.#ends, dials: this.#dials });
    this.#tellTables();
  }

  apply(tables: EngineTables): void {
    if (this.#disposed) return;
    this.#tables = tables;
    this.#node.apply(tables);
    this.#tellTables();
  }

  async listen(spec: EngineListenerSpec): Promise<EngineListener> {
    if (!this.#carries(spec)) return this.#node.listen(spec);
    if (this.#disposed) throw new MeshError('ABORTED', 'the engine was disposed while a listener was being opened');
    return this.#listeners.open(spec);
  }

  adopt(spec: EngineListenerSpec, socket: Socket, told?: ConnectionEnds): void {
    this.#node.adopt(spec, socket, told);
  }

  dial(request: DialRequest): Promise<DialResult> {
    const { endpoint, clusterName } = request;
    const { proxyProtocol, traffic } = this.#tables.clusters.get(clusterName) ?? {};
    const { tls, tunnel, address } = endpoint;
    if (tls === undefined || tunnel !== undefined || proxyProtocol !== undefined || isIP(address) === 0) return this.#node.dial(request);
    return this.#dials.dial(request, tls, traffic?.connections?.tcpKeepalive?.timeMs);
  }

  counters(): EngineCounters {
    const node = this.#node.counters();
    const native = this.#nativeCounters();
    const ended = new Map(node.ended);
    for (const [reason, count] of Object.entries(native.ended)) ended.set(reason, (ended.get(reason) ?? 0) + count);
    return {
      open: native.open - native.handed + node.open,
      inUse: new Set([...node.inUse, ...native.inUse]),
      accepted: native.accepted + node.accepted - this.#events.handed,
      ended,
    };
  }

  latencies(): readonly Latency[] {
    if (this.#disposed) return [];
    const { boundsMs, seen } = JSON.parse(this.#addon.latencies(this.#engine)) as NativeLatencies;
    return [...seen.map((each) => ({ ...each, boundsMs })), ...this.#node.latencies()];
  }

  places(): readonly PlaceNews[] {
    if (this.#disposed) return [];
    const places = JSON.parse(this.#addon.places(this.#engine)) as readonly NativePlace[];
    return places.flatMap(({ endpoint: handle, address, heard, waiting }) => {
      const endpoint = this.#encoder.endpoint(handle) ?? this.#dials.endpointAt(address);
      return endpoint === undefined ? [] : [{ endpoint, heard, waiting }];
    });
  }

  giveUp({ address, port }: EndpointState, own?: ReadonlySet<string>): void {
    const place = { address, port, own: own === undefined ? null : [...own].filter((each) => isIP(each) !== 0 && !each.includes('%')) };
    if (!this.#disposed) this.#addon.giveUp(this.#engine, JSON.stringify(place));
  }

  overload(detail: string | undefined): void {
    if (this.#disposed) return;
    this.#node.overload(detail);
    this.#addon.overload(this.#engine, detail ?? '');
  }

  relieve(bytes: number): void {
    if (this.#disposed) return;
    this.#node.relieve(bytes);
    this.#addon.relieve(this.#engine, bytes);
  }

  async drain(deadlineMs: number): Promise<void> {
    if (this.#disposed) return;
    this.#listeners.closeAll();
    const { clock } = this.#options;
    const until = clock.monotonic() + deadlineMs;
    await Promise.all([this.#node.drain(deadlineMs), this.#drainNative(deadlineMs)]);
    if (this.#disposed) return;
    // What was handed over meanwhile.
    this.#takeEvents();
    await this.#node.drain(Math.max(0, until - clock.monotonic()));
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#listeners.closeAll();
    this.#disposed = true;
    this.#events.dispose();
    this.#deadlines.forget(this.#growth);
    this.#onIdle?.();
    this.#addon.stop(this.#engine);
    this.#takeEvents();
    this.#dials.dispose();
    this.#ends.dispose();
    await this.#node.dispose();
    this.#last = this.#nativeCounters();
    this.#addon.dispose(this.#engine);
  }

  /** Where it is a matter of the caller's who carries it, TypeScript accepts. */
  #carries({ kind }: EngineListenerSpec): boolean {
    if (kind === 'sni' || kind === 'exposed') return true;
    const { carrier, originalDestination } = this.#options;
    return carrier === undefined && (kind === 'plain' || (kind === 'captured' && originalDestination !== undefined));
  }

  /** What is refused is said whole at the next change, and until then the tables before hold: connections never go by half a change. */
  #tellTables(): void {
    const change = this.#encoder.change(this.#tables);
    if (change !== undefined) {
      try {
        this.#addon.apply(this.#engine, JSON.stringify(change));
      } catch (error) {
        this.#encoder.forgetTold();
        this.#options.onTrouble?.('tables-refused', toMeshError(error).message);
      }
    }
    if (this.#encoder.growing) {
      this.#growth.deadline = this.#options.clock.monotonic() + growMs;
      this.#deadlines.watch(this.#growth);
    } else this.#deadlines.forget(this.#growth);
  }

  #nativeCounters(): NativeCounters {
    return this.#last ?? (JSON.parse(this.#addon.counters(this.#engine)) as NativeCounters);
  }

  async #drainNative(deadlineMs: number): Promise<void> {
    const over = new AbortController();
    this.#onIdle = () => over.abort();
    const { clock } = this.#options;
    const until = clock.monotonic() + deadlineMs;
    // That the last has ended is told of later than it can be seen.
    for (let left = deadlineMs; !over.signal.aborted && left > 0; left = until - clock.monotonic()) {
      this.#lookIfIdle();
      await clock.sleep(Math.min(drainLookMs, left), over.signal).catch(() => {});
    }
    if (!this.#disposed) this.#addon.breakOff(this.#engine);
  }

  #lookIfIdle(): void {
    if (this.#onIdle === undefined || this.#disposed) return;
    const { open, handed } = this.#nativeCounters();
    if (open === handed) this.#onIdle();
  }

  #takeEvents(): void {
    try {
      this.#events.take();
    } finally {
      // Also where an observer threw: the drain waits for it.
      this.#lookIfIdle();
    }
  }
}
