import { createServer, type Server, type Socket } from 'node:net';
import { MeshError } from '../../../core/errors.ts';
import { Balancer } from '../../balance/index.ts';
import { Deadlines } from '../../deadlines.ts';
import { Router } from '../../routing/index.ts';
import type {
  DialRequest,
  DialResult,
  Engine,
  EngineCounters,
  EngineListener,
  EngineListenerSpec,
  EngineOptions,
  EngineTables,
} from '../contract.ts';
import { Admission } from './admission.ts';
import { Connection } from './connection.ts';
import { type DialerOptions, dialEndpoint, keepAliveAfterMs } from './dialer.ts';
import type { EngineParts } from './engine-parts.ts';
import { IngressTerminator } from './ingress-terminator.ts';
import { OutsideContexts } from './outside-contexts.ts';
import { serveIngress } from './serve-ingress.ts';
import { servePlain } from './serve-plain.ts';
import { serveSni } from './serve-sni.ts';
import { TlsContexts } from './tls-contexts.ts';
import { TlsTerminator } from './tls-terminator.ts';

const serveBy = { sni: serveSni, plain: servePlain, ingress: serveIngress };

/** The engine in TypeScript. `tables` serve until the first `apply`. */
export class NodeEngine implements Engine {
  readonly name = 'node';
  readonly #options: EngineOptions;
  readonly #parts: EngineParts;
  readonly #admission: Admission;
  readonly #connections = new Set<Connection>();
  readonly #listeners = new Set<Server>();
  readonly #ended = new Map<string, number>();
  #tables: EngineTables;
  #accepted = 0;
  #disposed = false;
  #onIdle: (() => void) | undefined;

  constructor(options: EngineOptions, tables: EngineTables) {
    this.#options = options;
    this.#tables = tables;
    this.#admission = new Admission(options.limits);
    const contexts = new TlsContexts();
    const deadlines = new Deadlines(options.clock);
    const { clock, limits, onDial } = options;
    const outside = new OutsideContexts(clock);
    const dialer = { clock, deadlines, contexts, outside, handshakeTimeoutMs: limits.handshakeTimeoutMs, onDial };
    this.#parts = {
      options,
      balancer: new Balancer(options.random, options.clock),
      router: new Router(options.caller ?? { namespace: '', labels: {} }),
      terminator: new TlsTerminator(() => options.clock.now()),
      ingressTerminator: new IngressTerminator(),
      deadlines,
      tables: () => this.#tables,
      dial: (request) => this.#dial(request, dialer),
    };
  }

  apply(tables: EngineTables): void {
    this.#tables = tables;
    this.#parts.balancer.keepOnly(tables.clusters);
  }

  listen(spec: EngineListenerSpec): Promise<EngineListener> {
    const server = createServer(
      { allowHalfOpen: true, pauseOnConnect: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveAfterMs },
      (socket) => this.#accept(spec, socket),
    );
    return new Promise((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => {
        const hint = cause.code === 'EACCES' ? ': ports below 1024 need the right to bind them (CAP_NET_BIND_SERVICE)' : '';
        const message = `cannot listen on ${spec.address}:${spec.port} for ${spec.name}: ${cause.message}${hint}`;
        reject(new MeshError('PORT_TAKEN', message, { cause }));
      });
      server.listen({ host: spec.address, port: spec.port }, () => {
        const bound = server.address();
        if (this.#disposed || bound === null || typeof bound === 'string') {
          server.close();
          reject(new MeshError('ABORTED', 'the engine was disposed while a listener was being opened'));
          return;
        }
        server.on('error', () => {});
        this.#listeners.add(server);
        resolve({ address: bound.address, port: bound.port, close: () => this.#close(server) });
      });
    });
  }

  dial(request: DialRequest): Promise<DialResult> {
    return this.#parts.dial(request);
  }

  counters(): EngineCounters {
    const inUse = new Set([...this.#connections].map((connection) => connection.clusterName));
    inUse.delete('');
    return { open: this.#connections.size, inUse, accepted: this.#accepted, ended: new Map(this.#ended) };
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
    const result = await dialEndpoint(request, this.#tables, dialer);
    if (result.ok && !result.socket.closed) result.socket.once('close', release);
    else release();
    return result;
  }

  /** Resolves at once: a server's own close waits for its connections, which are none of a listener's business here. */
  async #close(server: Server): Promise<void> {
    if (!this.#listeners.delete(server)) return;
    server.close();
  }

  #accept(spec: EngineListenerSpec, socket: Socket): void {
    const { clock } = this.#options;
    this.#accepted += 1;
    const connection = new Connection(`c${this.#accepted.toString(36)}`, spec.name, socket, clock.monotonic());
    socket.on('error', () => {});
    const release = this.#admission.admit(connection.source.address);
    this.#connections.add(connection);
    socket.once('close', () => this.#finish(connection, release));
    if (typeof release === 'string' || this.#disposed || socket.destroyed) {
      connection.breakOff(typeof release === 'string' ? release : 'disposed', 'refused at accept', 'UO');
      return;
    }
    this.#parts.deadlines.watch(connection);
    serveBy[spec.kind](connection, this.#parts).catch((error: unknown) => {
      connection.breakOff('internal', error instanceof Error ? error.message : String(error));
    });
  }

  #finish(connection: Connection, release: (() => void) | string): void {
    if (typeof release !== 'string') release();
    this.#parts.deadlines.forget(connection);
    this.#connections.delete(connection);
    connection.abort.abort();
    this.#ended.set(connection.reason, (this.#ended.get(connection.reason) ?? 0) + 1);
    this.#options.onConnection(connection.report(this.#options.clock.monotonic()));
    if (this.#connections.size === 0) this.#onIdle?.();
  }
}
