import { once } from 'node:events';
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type TlsOptions, type Server as TlsServer } from 'node:tls';
import {
  type ConnectionInjector,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import { chainOf, mtlsServerOptions, RootUses, type Svid, verifyPeerSocket } from '../../core/identity/index.ts';
import type { Service } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import { formatSpiffeId } from '../../core/model/index.ts';
import { certificatesToPem, keyToPem, type TrustBundle } from '../../core/pki/index.ts';
import { createRefusals, type Refusals } from '../telemetry/index.ts';
import { type Caller, Callers, type CallLike } from './callers.ts';
import { ConnectionGate } from './connection-gate.ts';
import { HandshakeQueue } from './handshake-queue.ts';
import { defaultFrontLimits, type FrontLimits } from './limits.ts';
import { RefusingServer, refusedConnectionMs, revokedSerial } from './refusing-server.ts';

/** Connections that the kernel holds until they are accepted: a fleet that comes back at once waits there, and is not turned away. */
const backlog = 4_096;
/** ms. So that those who begin and do not go on hold up no more of the others than a core could do anyway. */
const roomAfterMs = 250;
/** ms. Shorter than any client's patience: who would get its turn later comes again, and nobody's handshake is for one that has gone. */
const waitMs = 8_000;

/** What the listener presents: the control plane's SVID, or before it has one a certificate that proves nothing. */
export type FrontIdentity =
  | { readonly svid: Svid; readonly bundle: TrustBundle }
  | { readonly bootstrap: { readonly certificate: Uint8Array; readonly key: Svid['key'] }; readonly bundle: TrustBundle };

export interface GrpcFrontOptions {
  readonly host: string;
  /** 0: any. */
  readonly port: number;
  readonly identity: FrontIdentity;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: Partial<FrontLimits>;
  /** Default: logged alone. */
  readonly refusals?: Refusals;
}

/**
 * The gRPC listener of a control plane (15012). TLS is its own, so that a client certificate is optional (who attests has none yet),
 * every one presented is verified as ours before a call is seen, and certificates rotate without dropping a connection; grpc-js gets
 * the sockets. A connection ends with the SVID it was opened with.
 */
export class GrpcFront implements Service {
  readonly #options: GrpcFrontOptions;
  readonly #limits: FrontLimits;
  readonly #refusals: Refusals;
  readonly #server: Server;
  readonly #injector: ConnectionInjector;
  readonly #services: ServiceDefinition[] = [];
  /** Made for the first whose SVID was revoked. */
  #refusing: RefusingServer | undefined;
  readonly #callers = new Callers();
  /** By handshakes of callers with a certificate. */
  readonly roots: RootUses;
  readonly #gate: ConnectionGate;
  readonly #listener: NetServer;
  readonly #queue: HandshakeQueue;
  readonly #tls: TlsServer;
  readonly #sockets = new Set<Socket>();
  /** Connections with a client certificate, by its serial. */
  readonly #proven = new Map<TLSSocket, string>();
  readonly #timers = new Set<AbortController>();
  #identity: FrontIdentity;
  #disposed = false;

  constructor(options: GrpcFrontOptions) {
    this.#options = options;
    this.#limits = { ...defaultFrontLimits, ...options.limits };
    this.#refusals = options.refusals ?? createRefusals(options.log, undefined, options.clock);
    this.#identity = options.identity;
    this.roots = new RootUses(options.clock);
    this.#gate = new ConnectionGate(this.#limits.connectionsPerSource);
    this.#server = new Server({
      'grpc.max_receive_message_length': this.#limits.messageBytes,
      'grpc.max_concurrent_streams': this.#limits.streams,
      // Nobody asks for it, and each connection would keep its own.
      'grpc.enable_channelz': 0,
      'grpc.keepalive_time_ms': 30_000,
      'grpc.keepalive_timeout_ms': 15_000,
    });
    this.#injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    const { handshakeMs, handshakesAtOnce, connections } = this.#limits;
    this.#listener = createServer((socket) => this.#accept(socket));
    this.#listener.maxConnections = connections;
    this.#tls = createTlsServer({ ...tlsOptions(options.identity), handshakeTimeout: handshakeMs });
    this.#queue = new HandshakeQueue({
      atOnce: handshakesAtOnce,
      roomAfterMs,
      waitMs,
      silentMs: handshakeMs,
      clock: options.clock,
      letIn: (socket) => void this.#tls.emit('connection', socket),
    });
    this.#tls.on('secureConnection', (socket) => {
      this.#queue.done(socket);
      this.#admit(socket);
    });
    this.#tls.on('tlsClientError', (error, socket) => {
      this.#options.log.debug({ source: socket.remoteAddress, error: error.message }, 'TLS handshake failed');
      socket.destroy();
    });
  }

  /** Before `start`. The definition is ts-proto's `XService`. */
  addService(definition: ServiceDefinition, implementation: UntypedServiceImplementation): void {
    this.#services.push(definition);
    this.#server.addService(definition, implementation);
  }

  async start(signal: AbortSignal): Promise<void> {
    const { host, port } = this.#options;
    signal.throwIfAborted();
    this.#listener.listen({ port, host, backlog });
    try {
      await once(this.#listener, 'listening');
    } catch (error) {
      await this.dispose();
      throw new MeshError('PORT_TAKEN', `cannot listen on ${host}:${port}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Where it listens, once started. */
  get port(): number {
    return (this.#listener.address() as AddressInfo).port;
  }

  /** From now on new connections get this; those that stand go on with what they began with, except callers that are denied now. */
  useIdentity(identity: FrontIdentity): void {
    this.#identity = identity;
    this.#tls.setSecureContext(tlsOptions(identity));
    for (const [socket, serial] of this.#proven) if (identity.bundle.deniedSerials.includes(serial)) socket.destroy();
  }

  /** Who makes a call; undefined for a connection without a certificate. Certificates that do not hold never get as far. */
  callerOf(call: CallLike): Caller | undefined {
    return this.#callers.of(call, this.#identity.bundle, this.#options.clock.now());
  }

  /** Whether somebody had to wait for a handshake within the last `ms`: whoever is missing may only be in the queue. */
  crowdedWithin(ms: number): boolean {
    return this.#options.clock.monotonic() - this.#queue.crowdedAt <= ms;
  }

  /** Stops accepting, tells clients to go elsewhere (GOAWAY), lets calls finish, and cuts what is left after `deadlineMs`. */
  async drain(deadlineMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    this.#queue.dispose();
    this.#injector.drain(deadlineMs);
    const timer = new AbortController();
    const forced = this.#options.clock.sleep(deadlineMs, timer.signal).catch(() => undefined);
    await Promise.race([closed, forced]);
    timer.abort();
    await this.dispose();
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const timer of this.#timers) timer.abort();
    this.#listener.close();
    this.#queue.dispose();
    this.#injector.destroy();
    this.#server.forceShutdown();
    this.#refusing?.dispose();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all([...this.#sockets].map((socket) => (socket.closed ? undefined : once(socket, 'close').catch(() => undefined))));
  }

  #accept(socket: Socket): void {
    socket.on('error', () => {});
    const leave = this.#gate.enter(socket.remoteAddress ?? '');
    if (leave === undefined || this.#disposed) {
      this.#refusals.refuse('connection', 'limited', 'too many from this source', { source: socket.remoteAddress });
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      leave();
    });
    this.#queue.enter(socket);
  }

  #admit(socket: TLSSocket): void {
    socket.on('error', () => {});
    const now = this.#options.clock.now();
    if (socket.alpnProtocol !== 'h2') {
      socket.destroy();
      return;
    }
    const chain = chainOf(socket.getPeerCertificate(true));
    const [leaf] = chain;
    if (leaf === undefined) {
      this.#endAfter(socket, this.#limits.anonymousMs);
    } else {
      const verdict = verifyPeerSocket(socket, this.#identity.bundle, now, {}, chain);
      if (!verdict.ok) {
        this.#turnAway(socket, verdict.reason, now);
        return;
      }
      this.roots.count(verdict.root, { spiffeId: formatSpiffeId(verdict.spiffeId), cluster: verdict.cluster });
      const release = this.#callers.add(leaf, verdict);
      this.#proven.set(socket, verdict.serial);
      socket.once('close', () => {
        release();
        this.#proven.delete(socket);
      });
      this.#endAfter(socket, verdict.notAfter - now);
    }
    this.#injector.injectConnection(socket);
  }

  /** Whoever was revoked is told so, by a server that does nothing else; whoever proves nothing is told nothing. */
  #turnAway(socket: TLSSocket, reason: string, now: number): void {
    const source = socket.remoteAddress;
    const serial = revokedSerial(this.#identity.bundle, (bundle) => verifyPeerSocket(socket, bundle, now));
    if (serial === undefined) {
      this.#refusals.refuse('connection', 'bad-certificate', reason, { source });
      socket.destroy();
      return;
    }
    this.#refusals.refuse('connection', 'revoked', reason, { source });
    this.#endAfter(socket, Math.min(refusedConnectionMs, this.#limits.anonymousMs));
    this.#refusing ??= new RefusingServer(this.#services);
    this.#refusing.take(socket);
  }

  #endAfter(socket: TLSSocket, ms: number): void {
    const timer = new AbortController();
    this.#timers.add(timer);
    socket.once('close', () => timer.abort());
    this.#options.clock
      .sleep(ms, timer.signal)
      .then(() => socket.destroy())
      .catch(() => undefined)
      .finally(() => this.#timers.delete(timer));
  }
}

/**
 * What stays for the life of the listener: setSecureContext changes keys and trust alone. A client certificate is asked for, not demanded. ALPN by callback:
 * of a list Node keeps a copy per connection, each of which would hold a slab of 8 KiB that short-lived buffers have left.
 */
const permanent: TlsOptions = {
  requestCert: true,
  rejectUnauthorized: false,
  ALPNCallback: ({ protocols }) => (protocols.includes('h2') ? 'h2' : undefined),
};

function tlsOptions(identity: FrontIdentity): TlsOptions {
  if ('svid' in identity) return { ...mtlsServerOptions(identity.svid, identity.bundle), ...permanent };
  const { certificate, key } = identity.bootstrap;
  const ca = identity.bundle.roots.map((root) => certificatesToPem([root]));
  return { cert: certificatesToPem([certificate]), key: keyToPem(key), ca, minVersion: 'TLSv1.3', ...permanent };
}
