import { once } from 'node:events';
import { chmod, mkdir, rm, stat } from 'node:fs/promises';
import { connect, createServer, type Server as NetServer, type Socket } from 'node:net';
import { dirname } from 'node:path';
import {
  type ConnectionInjector,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { peerCredentials, peerGroups, socketFd } from '../../core/os/index.ts';
import type { WorkloadApiLimits } from './limits.ts';

/** A program of this machine, as the kernel saw it connect. */
export interface SocketCaller {
  readonly pid: number;
  readonly uid: number;
  readonly gids: readonly number[];
}

export interface SocketFrontOptions<Known> {
  /** Absolute. Its folder is made when it is not there, and must let other users through. */
  readonly socket: string;
  readonly limits: WorkloadApiLimits;
  readonly clock: Clock;
  readonly log: Log;
  /** What is to be known of a caller before its first call is seen; asked once for each connection. Must not reject. */
  readonly recognise: (caller: SocketCaller) => Promise<Known>;
}

/** What Linux takes, in bytes. */
const longestPath = 107;

/**
 * A gRPC server on a Unix socket that everybody may open and that knows who did: each connection's peer is asked of the kernel before grpc-js
 * gets it, and a call is its connection's, by a name that only we can give. A connection whose peer cannot be had is closed.
 */
export class SocketFront<Known> {
  readonly #options: SocketFrontOptions<Known>;
  readonly #grpc: Server;
  readonly #injector: ConnectionInjector;
  readonly #net: NetServer;
  readonly #callers = new Map<string, { readonly caller: SocketCaller; readonly known: Known }>();
  readonly #sockets = new Set<Socket>();
  readonly #perUid = new Map<number, number>();
  readonly #stop = new AbortController();
  #accepted = 0;

  constructor(options: SocketFrontOptions<Known>) {
    const { limits } = options;
    this.#options = options;
    this.#grpc = new Server({
      'grpc.max_receive_message_length': limits.messageBytes,
      'grpc.max_concurrent_streams': limits.streamsPerUid,
      'grpc.max_connection_idle_ms': limits.idleMs,
      'grpc.enable_channelz': 0,
    });
    this.#injector = this.#grpc.createConnectionInjector(ServerCredentials.createInsecure());
    this.#net = createServer({ pauseOnConnect: true }, (socket) => this.#accept(socket));
    this.#net.maxConnections = limits.connections;
  }

  /** Before `start`. */
  addService(definition: ServiceDefinition, implementation: UntypedServiceImplementation): void {
    this.#grpc.addService(definition, implementation);
  }

  /** MeshError CONFIG_INVALID when the path is too long for a socket, PORT_TAKEN when it cannot be had; UNSUPPORTED without peer credentials. */
  async start(): Promise<void> {
    const { socket } = this.#options;
    try {
      if (Buffer.byteLength(socket) > longestPath)
        throw new MeshError('CONFIG_INVALID', `${socket} is too long for a socket (${longestPath} bytes at most): choose a shorter path`);
      await mkdir(dirname(socket), { recursive: true, mode: 0o755 });
      await removeLeftover(socket);
      this.#net.listen({ path: socket });
      await once(this.#net, 'listening');
      // Whoever connects is told apart by what the kernel says of it.
      await chmod(socket, 0o777);
    } catch (cause) {
      await this.close();
      if (cause instanceof MeshError) throw cause;
      throw new MeshError('PORT_TAKEN', `cannot listen on ${socket}: ${(cause as Error).message}; check the rights of its folder`, {
        cause,
      });
    }
  }

  /** Who makes a call. Undefined: a connection that is not ours; refuse it. */
  callerOf(call: { getPeer(): string }): { readonly caller: SocketCaller; readonly known: Known } | undefined {
    return this.#callers.get(call.getPeer());
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Ends everything that is open and takes the socket away. Idempotent. */
  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    const mine = this.#net.listening;
    this.#net.close();
    this.#injector.destroy();
    this.#grpc.forceShutdown();
    for (const socket of this.#sockets) socket.destroy();
    if (mine) await rm(this.#options.socket, { force: true });
  }

  #accept(socket: Socket): void {
    const { log, limits } = this.#options;
    socket.on('error', () => {});
    const caller = callerAt(socket, log);
    if (caller === undefined || this.#stop.signal.aborted) return void socket.destroy();
    const open = this.#perUid.get(caller.uid) ?? 0;
    if (open >= limits.connectionsPerUid) {
      log.warn({ uid: caller.uid, pid: caller.pid, open }, 'workload API: too many connections of this user');
      return void socket.destroy();
    }
    this.#perUid.set(caller.uid, open + 1);
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      const left = (this.#perUid.get(caller.uid) ?? 1) - 1;
      if (left === 0) this.#perUid.delete(caller.uid);
      else this.#perUid.set(caller.uid, left);
    });
    this.#options.recognise(caller).then(
      (known) => this.#serve(socket, caller, known),
      () => socket.destroy(),
    );
  }

  #serve(socket: Socket, caller: SocketCaller, known: Known): void {
    if (socket.destroyed || this.#stop.signal.aborted) return void socket.destroy();
    this.#accepted += 1;
    const name = `caller-${this.#accepted}`;
    // What grpc-js shows of a call's connection; a Unix socket has no address of its own.
    Object.defineProperty(socket, 'remoteAddress', { value: name });
    this.#callers.set(name, { caller, known });
    const silence = new AbortController();
    socket.once('close', () => {
      this.#callers.delete(name);
      silence.abort();
    });
    // It was accepted paused; HTTP/2 takes the handle over as it is, so the reading must have begun.
    socket.read(0);
    this.#injector.injectConnection(socket);
    this.#options.clock
      .sleep(this.#options.limits.silenceMs, silence.signal)
      .then(() => {
        if (socket.bytesRead === 0) socket.destroy();
      })
      .catch(() => undefined);
  }
}

function callerAt(socket: Socket, log: Log): SocketCaller | undefined {
  try {
    const fd = socketFd(socket);
    if (fd === undefined) return undefined;
    const { pid, uid, gid } = peerCredentials(fd);
    return { pid, uid, gids: [...new Set([gid, ...peerGroups(fd)])] };
  } catch (error) {
    log.error({ error: String(error) }, 'workload API: a caller could not be told from others, and was refused');
    return undefined;
  }
}

/** Of an agent that was killed. One that somebody answers on stays. */
async function removeLeftover(socket: string): Promise<void> {
  const there = await stat(socket).catch(() => undefined);
  if (there === undefined) return;
  if (!there.isSocket()) throw new MeshError('PORT_TAKEN', `${socket} is there, and no socket: remove it or choose another path`);
  const answers = await new Promise<boolean>((resolve) => {
    const probe = connect(socket);
    probe.once('connect', () => resolve(true));
    probe.once('error', () => resolve(false));
    probe.once('close', () => resolve(false));
    setTimeout(() => probe.destroy(), 1_000).unref();
    probe.once('connect', () => probe.destroy());
  });
  if (answers) throw new MeshError('PORT_TAKEN', `somebody serves on ${socket} already: stop it, or choose another path`);
  await rm(socket, { force: true });
}
