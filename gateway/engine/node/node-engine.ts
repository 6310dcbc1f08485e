import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { MeshError } from '../../../core/errors.ts';
import { ownListeners } from '../../../core/listeners/index.ts';
import { Balancer } from '../../balance/index.ts';
import { Deadlines } from '../../deadlines.ts';
import { Router } from '../../routing/index.ts';
import { destinationKey } from '../capture-contract.ts';
import type {
  ConnectionEnds,
  ConnectionSource,
  DialRequest,
  DialResult,
  Engine,
  EngineCounters,
  EngineListener,
  EngineListenerSpec,
  EngineOptions,
  EngineTables,
  Latency,
} from '../contract.ts';
import { abortStream } from './abort-stream.ts';
import { Admission, memoryShort, type Place, tooMany } from './admission.ts';
import { Connection, peerDenied } from './connection.ts';
import { type DialerOptions, dialEndpoint, keepAliveAfterMs } from './dialer.ts';
import type { EngineParts } from './engine-parts.ts';
import { IngressTerminator } from './ingress-terminator.ts';
import { judgeAgain } from './judge-again.ts';
import { Latencies } from './latencies.ts';
import { OutsideContexts } from './outside-contexts.ts';
import { relieve } from './relieve.ts';
import { serveCaptured } from './serve-captured.ts';
import { serveExposed } from './serve-exposed.ts';
import { serveIngress } from './serve-ingress.ts';
import { servePlain } from './serve-plain.ts';
import { takeProxied } from './serve-proxied.ts';
import { serveSni } from './serve-sni.ts';
import { TlsContexts } from './tls-contexts.ts';
import { TlsTerminator } from './tls-terminator.ts';
import { DescriptorWatch, seldom } from './troubles.ts';

const serveBy = { sni: serveSni, plain: servePlain, ingress: serveIngress, captured: serveCaptured, exposed: serveExposed };

/** The engine in TypeScript. `tables` serve until the first `apply`. */
export class NodeEngine implements Engine {
  readonly name = 'node';
  readonly #options: EngineOptions;
  readonly #parts: EngineParts;
  readonly #admission: Admission;
  readonly #connections = new Set<Connection>();
  readonly #listeners = new Set<Server>();
  readonly #ended = new Map<string, number>();
  /** mTLS connections to endpoints, by the serial of who answers. */
  readonly #upstreams = new Map<Duplex, string>();
  readonly #latencies = new Latencies();
  readonly #descriptors: DescriptorWatch;
  readonly #onTrouble: NonNullable<EngineOptions['onTrouble']>;
  #tables: EngineTables;
  #accepted = 0;
  #disposed = false;
  /** Why nobody is taken; empty: everybody is. */
  #overloaded = '';
  #onIdle: (() => void) | undefined;

  constructor(options: EngineOptions, tables: EngineTables) {
    this.#options = options;
    this.#tables = tables;
    this.#admission = new Admission(options.limits);
    const contexts = new TlsContexts();
    const deadlines = new Deadlines(options.clock);
    const { clock, limits, onDial, onPeer, openTunnel } = options;
    const outside = new OutsideContexts(clock);
    const { handshakeTimeoutMs } = limits;
    this.#onTrouble = seldom(options.onTrouble, clock);
    this.#descriptors = new DescriptorWatch(this.#onTrouble, clock);
    const dialer = { clock, deadlines, contexts, outside, handshakeTimeoutMs, onDial, onPeer, openTunnel, onTrouble: this.#onTrouble };
    this.#parts = {
      options,
      balancer: new Balancer(options.random, options.clock),
      router: new Router(options.caller ?? { namespace: '', labels: {} }),
      terminator: new TlsTerminator(() => options.clock.now(), options.onPeer),
      ingressTerminator: new IngressTerminator(),
      deadlines,
      latencies: this.#latencies,
      tables: () => this.#tables,
      dial: (request) => this.#dial(request, dialer),
    };
  }

  apply(tables: EngineTables): void {
    const before = this.#tables.trust;
    this.#tables = tables;
    if (before !== tables.trust) this.#cutDenied(new Set(tables.trust.deniedSerials));
    this.#parts.balancer.keepOnly(tables.clusters);
    for (const connection of this.#connections) judgeAgain(connection, tables);
  }

  async listen(spec: EngineListenerSpec): Promise<EngineListener> {
    const servers: Server[] = [];
    const another = () => {
      const options = {
        allowHalfOpen: true,
        pauseOnConnect: true,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: keepAliveAfterMs,
      };
      const made = createServer(options, (socket) => this.#accept(spec, socket));
      servers.push(made);
      return made;
    };
    const server = another();
    await (this.#options.listeners ?? ownListeners).listen(server, spec, another).catch((cause: NodeJS.ErrnoException) => {
      for (const each of servers) each.close();
      const hint = cause.code === 'EACCES' ? ': ports below 1024 need the right to bind them (CAP_NET_BIND_SERVICE)' : '';
      const message = `cannot listen on ${spec.address}:${spec.port} for ${spec.name}: ${cause.message}${hint}`;
      throw new MeshError('PORT_TAKEN', message, { cause });
    });
    const bound = server.address();
    if (this.#disposed || bound === null || typeof bound === 'string') {
      for (const each of servers) each.close();
      throw new MeshError('ABORTED', 'the engine was disposed while a listener was being opened');
    }
    for (const each of servers) {
      each.on('error', () => {});
      this.#listeners.add(each);
    }
    this.#descriptors.run(true);
    const close = async () => void (await Promise.all(servers.map((each) => this.#close(each))));
    return { address: bound.address, port: bound.port, close };
  }

  dial(request: DialRequest): Promise<DialResult> {
    return this.#parts.dial(request);
  }

  counters(): EngineCounters {
    const inUse = new Set([...this.#connections].map((connection) => connection.clusterName));
    inUse.delete('');
    return { open: this.#connections.size, inUse, accepted: this.#accepted, ended: new Map(this.#ended) };
  }

  latencies(): readonly Latency[] {
    return this.#latencies.seen(this.#tables.clusters);
  }

  overload(detail: string | undefined): void {
    this.#overloaded = detail ?? '';
    this.#admission.short = detail !== undefined;
  }

  relieve(bytes: number): void {
    relieve(this.#connections, bytes, this.#options.clock.monotonic());
  }

  async drain(deadlineMs: number): Promise<void> {
    await Promise.all([...this.#listeners].map((server) => this.#close(server)));
    if (this.#connections.size === 0) return;
    const over = new AbortController();
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
    await Promise.race([idle, this.#options.clock.sleep(deadlineMs, over.signal).catch(() => {})]);
    over.abort();
    for (const connection of this.#connections) connection.breakOff('drain-forced', 'still open when the drain deadline came', 'OM');
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    const closed = [...this.#listeners].map((server) => this.#close(server));
    for (const connection of this.#connections) connection.breakOff('disposed', 'the engine was disposed');
    await Promise.all(closed);
  }

  async #dial(request: DialRequest, dialer: DialerOptions): Promise<DialResult> {
    const { admit } = this.#options;
    const release = admit === undefined ? () => {} : admit(request.clusterName, request.always === true);
    if (release === undefined) return { ok: false, failure: 'overflow', reason: 'the cluster has as many connections as it may' };
    const { clock } = this.#options;
    const begun = clock.monotonic();
    const result = await dialEndpoint(request, this.#tables, dialer);
    if (result.ok) this.#latencies.add('connect', request.clusterName, clock.monotonic() - begun);
    if (result.ok && !result.socket.closed) {
      const { socket, peer } = result;
      if (peer?.serial !== undefined) this.#upstreams.set(socket, peer.serial);
      socket.once('close', () => {
        this.#upstreams.delete(socket);
        release();
      });
    } else release();
    return result;
  }

  /** Whose certificate was taken back goes, on either side. */
  #cutDenied(denied: ReadonlySet<string>): void {
    if (denied.size === 0) return;
    for (const connection of this.#connections) if (denied.has(connection.peer?.serial ?? '')) connection.breakOff(...peerDenied);
    for (const [socket, serial] of this.#upstreams) if (denied.has(serial)) abortStream(socket);
  }

  /** Resolves at once: a server's own close waits for its connections, which are none of a listener's business here. */
  async #close(server: Server): Promise<void> {
    if (!this.#listeners.delete(server)) return;
    this.#descriptors.run(this.#listeners.size > 0);
    server.close();
  }

  adopt(spec: EngineListenerSpec, socket: Socket, told?: ConnectionEnds): void {
    this.#begin(spec, socket, undefined, told);
  }

  #accept(spec: EngineListenerSpec, socket: Socket): void {
    const { carrier } = this.#options;
    const destination = carrier === undefined ? undefined : this.#destinationOf(spec, socket);
    if (carrier === undefined || destination === undefined) {
      this.#begin(spec, socket, undefined);
      return;
    }
    socket.on('error', () => {});
    carrier(socket, destination).then(
      (chosen) => {
        if (chosen === 'this') this.#begin(spec, socket, undefined);
        else if ('refused' in chosen) this.#begin(spec, socket, chosen.refused);
        else chosen.adopt(spec, socket);
      },
      () => socket.destroy(),
    );
  }

  /** Undefined: it is not the mesh that is called, or not by a program of this machine. */
  #destinationOf(spec: EngineListenerSpec, socket: Socket): ConnectionSource | undefined {
    if (spec.kind === 'plain') return { address: socket.localAddress ?? '', port: socket.localPort ?? 0 };
    if (spec.kind !== 'captured') return undefined;
    const to = this.#options.originalDestination?.(socket);
    const leads = to !== undefined && this.#tables.captured?.get(spec.name)?.byDestination.has(destinationKey(to));
    return leads === true ? to : undefined;
  }

  #begin(spec: EngineListenerSpec, socket: Socket, refused: string | undefined, told?: ConnectionEnds): void {
    const { clock, limits } = this.#options;
    // Gone while it was asked whose it is: there is no close to come.
    if (socket.closed) return;
    this.#accepted += 1;
    const connection = new Connection(`c${this.#accepted.toString(36)}`, spec.name, socket, clock.monotonic());
    if (told !== undefined) connection.isOf(told);
    socket.on('error', () => {});
    const place = this.#admission.admitUnnamed();
    const accepts = told === undefined ? spec.acceptProxy : undefined;
    // Its own header says whose it is; and callers of this machine have one address together.
    const named = accepts === undefined && spec.kind !== 'captured';
    const full = typeof place !== 'string' && named ? this.#name(place, connection.source.address) : undefined;
    this.#connections.add(connection);
    socket.once('close', () => this.#finish(connection, place));
    if (typeof place === 'string' || full !== undefined || this.#disposed || socket.destroyed) {
      if (place === tooMany) this.#onTrouble(tooMany, `${limits.maxConnections} connections are open, as many as there may be`);
      if (place === memoryShort) this.#onTrouble(memoryShort, this.#overloaded);
      const flag = place === memoryShort ? 'OM' : 'UO';
      connection.breakOff(typeof place === 'string' ? place : (full ?? 'disposed'), 'refused at accept', flag);
      return;
    }
    if (refused !== undefined) {
      connection.breakOff('no-identity', refused);
      return;
    }
    this.#parts.deadlines.watch(connection);
    const serve = async () => {
      if (accepts !== undefined && !(await takeProxied(connection, accepts, (address) => this.#name(place, address), this.#parts))) return;
      await serveBy[spec.kind](connection, this.#parts);
    };
    serve().catch((error: unknown) => {
      connection.breakOff('internal', error instanceof Error ? error.message : String(error));
    });
  }

  /** Why there is no place for more of that source. */
  #name(place: Place, address: string): string | undefined {
    const full = place.name(address);
    const most = this.#options.limits.maxConnectionsPerSource;
    if (full !== undefined) this.#onTrouble(full, `${address} has ${most} connections open, as many as one source may`);
    return full;
  }

  #finish(connection: Connection, place: Place | string): void {
    if (typeof place !== 'string') place.release();
    this.#parts.deadlines.forget(connection);
    this.#connections.delete(connection);
    connection.abort.abort();
    this.#ended.set(connection.reason, (this.#ended.get(connection.reason) ?? 0) + 1);
    const report = connection.report(this.#options.clock.monotonic());
    if (report.outcome === 'forward') this.#latencies.add('connection', report.clusterName, report.durationMs);
    this.#options.onConnection(report);
    if (this.#connections.size === 0) this.#onIdle?.();
  }
}
