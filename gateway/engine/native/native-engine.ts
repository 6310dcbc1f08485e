import { isIP, Socket } from 'node:net';
import { availableParallelism } from 'node:os';
import { MeshError, toMeshError } from '../../../core/errors.ts';
import { Deadlines, type Timed } from '../../deadlines.ts';
import type { EndpointState } from '../../state/types.ts';
import type {
  AttemptFailure,
  DialRequest,
  DialResult,
  Engine,
  EngineCounters,
  EngineListener,
  EngineListenerSpec,
  EngineOptions,
  EngineTables,
  PlaceNews,
} from '../contract.ts';
import { keepAliveAfterMs } from '../node/dialer.ts';
import { NodeEngine } from '../node/node-engine.ts';
import type { NativeAddon } from './addon.ts';
import { TablesEncoder } from './encode-tables.ts';
import type { NativeBatch, NativeCounters, NativeEvent, NativePlace } from './messages.ts';
import { readReport } from './read-report.ts';

/** Shares of those that warm up or return are told so often. */
const growMs = 250;
const mostPipes = 256;

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
  /** What the crate listens for, by name. */
  readonly #specs = new Map<string, EngineListenerSpec>();
  readonly #deadlines: Deadlines;
  readonly #growth: Timed & { deadline: number } = { deadline: 0, expire: () => this.#tellTables() };
  #tables: EngineTables;
  /** Connections that both engines have counted. */
  #handed = 0;
  #disposed = false;
  /** Once it is disposed. */
  #last: NativeCounters | undefined;
  #onIdle: (() => void) | undefined;

  constructor(addon: NativeAddon, options: EngineOptions, tables: EngineTables) {
    this.#addon = addon;
    this.#options = options;
    this.#tables = tables;
    this.#node = new NodeEngine(options, tables);
    this.#encoder = new TablesEncoder(options.random, options.clock);
    this.#deadlines = new Deadlines(options.clock, growMs);
    const { quietMs: _, ...limits } = options.limits;
    const { threads = Math.min(64, availableParallelism()) } = options;
    const seed = Math.floor(options.random() * Number.MAX_SAFE_INTEGER);
    const native = { limits, threads, seed, keepAliveS: keepAliveAfterMs / 1_000, maxPipes: mostPipes, resume: options.resumeTls ?? true };
    this.#engine = addon.create(JSON.stringify(native), () => {
      if (!this.#disposed) this.#takeEvents();
    });
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
    const { name, address, port, kind } = spec;
    try {
      const bound = JSON.parse(this.#addon.listen(this.#engine, JSON.stringify({ name, address, port, kind })));
      // Kept after it has closed: connections that it accepted may come yet.
      this.#specs.set(name, spec);
      return { address: bound.address, port: bound.port, close: async () => this.#close(bound.number) };
    } catch (error) {
      const { message } = toMeshError(error);
      const cause = Object.assign(new Error(message, { cause: error }), { code: message });
      const hint = message === 'EACCES' ? ': ports below 1024 need the right to bind them (CAP_NET_BIND_SERVICE)' : '';
      throw new MeshError('PORT_TAKEN', `cannot listen on ${address}:${port} for ${name}: ${message}${hint}`, { cause });
    }
  }

  adopt(spec: EngineListenerSpec, socket: Socket): void {
    this.#node.adopt(spec, socket);
  }

  dial(request: DialRequest): Promise<DialResult> {
    return this.#node.dial(request);
  }

  counters(): EngineCounters {
    const node = this.#node.counters();
    const native = this.#nativeCounters();
    const ended = new Map(node.ended);
    for (const [reason, count] of Object.entries(native.ended)) ended.set(reason, (ended.get(reason) ?? 0) + count);
    return {
      open: native.open - native.handed + node.open,
      inUse: new Set([...node.inUse, ...native.inUse]),
      accepted: native.accepted + node.accepted - this.#handed,
      ended,
    };
  }

  places(): readonly PlaceNews[] {
    if (this.#disposed) return [];
    const places = JSON.parse(this.#addon.places(this.#engine)) as readonly NativePlace[];
    return places.flatMap(({ endpoint: handle, heard, waiting }) => {
      const endpoint = this.#encoder.endpoint(handle);
      return endpoint === undefined ? [] : [{ endpoint, heard, waiting }];
    });
  }

  giveUp({ address, port }: EndpointState, own?: ReadonlySet<string>): void {
    const place = { address, port, own: own === undefined ? null : [...own].filter((each) => isIP(each) !== 0 && !each.includes('%')) };
    if (!this.#disposed) this.#addon.giveUp(this.#engine, JSON.stringify(place));
  }

  async drain(deadlineMs: number): Promise<void> {
    if (this.#disposed) return;
    this.#addon.close(this.#engine, 0);
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
    this.#disposed = true;
    this.#deadlines.forget(this.#growth);
    this.#onIdle?.();
    this.#addon.stop(this.#engine);
    this.#takeEvents();
    await this.#node.dispose();
    this.#last = this.#nativeCounters();
    this.#addon.dispose(this.#engine);
  }

  /** Where somebody else keeps the sockets, or it is a matter of the caller's who carries it, TypeScript accepts. */
  #carries({ kind }: EngineListenerSpec): boolean {
    const { listeners, carrier } = this.#options;
    return listeners === undefined && (kind === 'sni' || (kind === 'plain' && carrier === undefined));
  }

  #close(listener: number): void {
    if (!this.#disposed) this.#addon.close(this.#engine, listener);
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
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
    this.#lookIfIdle();
    await Promise.race([idle, this.#options.clock.sleep(deadlineMs, over.signal).catch(() => {})]);
    over.abort();
    if (!this.#disposed) this.#addon.breakOff(this.#engine);
  }

  #lookIfIdle(): void {
    if (this.#onIdle === undefined || this.#disposed) return;
    const { open, handed } = this.#nativeCounters();
    if (open === handed) this.#onIdle();
  }

  #takeEvents(): void {
    const batch = JSON.parse(this.#addon.events(this.#engine)) as NativeBatch;
    const failures: unknown[] = [];
    for (const event of batch.events) {
      try {
        this.#take(event);
      } catch (error) {
        failures.push(error);
      }
    }
    this.#encoder.forget(batch.released);
    this.#lookIfIdle();
    // An observer's defect, which costs no other event.
    if (failures.length > 0) throw failures[0];
  }

  #take(event: NativeEvent): void {
    const { onAttempt, onConnection, onForward, onTrouble } = this.#options;
    switch (event.kind) {
      case 'attempt': {
        const endpoint = this.#encoder.endpoint(event.endpoint);
        if (endpoint === undefined) return;
        const attempt = { clusterName: event.cluster, endpoint, result: event.result as AttemptFailure };
        for (let i = 0; i < event.count; i++) onAttempt(attempt);
        return;
      }
      case 'forward':
      case 'ended': {
        const upstream = event.endpoint === null ? undefined : this.#encoder.endpoint(event.endpoint);
        const report = readReport(event, upstream);
        if (event.kind === 'ended') onConnection(report);
        else onForward?.(report);
        return;
      }
      case 'peer':
        this.#options.onPeer?.(event.peer);
        return;
      case 'handed':
        this.#adoptHanded(event);
        return;
      case 'trouble':
        onTrouble?.(event.what, event.detail);
    }
  }

  #adoptHanded({ number, listener, fd, preface }: Extract<NativeEvent, { kind: 'handed' }>): void {
    const socket = new Socket({ fd, allowHalfOpen: true });
    socket.pause();
    socket.on('error', () => {});
    socket.once('close', () => {
      if (!this.#disposed) this.#addon.release(this.#engine, number);
    });
    const spec = this.#specs.get(listener);
    if (spec === undefined || this.#disposed) {
      socket.destroy();
      return;
    }
    this.#handed += 1;
    if (preface !== '') socket.unshift(Buffer.from(preface, 'hex'));
    this.#node.adopt(spec, socket);
  }
}
