import type { SendHandle } from 'node:child_process';
import type { Socket } from 'node:dgram';
import { Socket as NetSocket, type Server } from 'node:net';
import { type KeptSockets, type ListenerKeeper, type ListenPlace, listening, ownListeners, placeKey } from '../../core/listeners/index.ts';
import type { ToSupervisor } from './protocol.ts';

/** A listening socket between two processes: what Node hands over between them. */
export type Handle = NonNullable<SendHandle>;

/** `sent`: called when the handle has been passed on, or cannot be. */
export type Say = (message: ToSupervisor, handle?: Handle, sent?: () => void) => void;

/**
 * Listening sockets that a supervisor keeps, so that there is no moment without one while a worker takes over from another: who connects
 * between the two waits in the kernel's queue.
 */
export class KeptListeners implements ListenerKeeper {
  readonly socketsPerPlace = 'one';
  readonly #say: Say;
  readonly #waiting = new Map<string, Handle>();
  /** By `take`, and not closed since: the supervisor has these. */
  readonly #taken = new Set<string>();
  #handedOver = false;

  constructor(say: Say) {
    this.#say = say;
  }

  /** One that was kept. */
  give(key: string, handle: Handle): void {
    this.#waiting.set(key, handle);
  }

  listen(server: Server, place: ListenPlace): Promise<void> {
    const key = placeKey('tcp', place);
    return this.#open(
      server,
      key,
      (kept) => listening(server, () => server.listen(kept)),
      () => ownListeners.listen(server, place),
    );
  }

  bind(socket: Socket, place: ListenPlace): Promise<void> {
    const key = placeKey('udp', place);
    // Its types know ports alone; a handle is taken as net.Server takes one.
    const adopt = (kept: Handle) => listening(socket, () => (socket as unknown as { bind(from: Handle): void }).bind(kept));
    return this.#open(socket, key, adopt, () => ownListeners.bind(socket, place));
  }

  take(place: ListenPlace): KeptSockets | undefined {
    const key = placeKey('tcp', place);
    const handle = this.#waiting.get(key) as (Handle & { readonly fd?: number; close?: () => void }) | undefined;
    if (handle?.fd === undefined || handle.fd < 0) return undefined;
    this.#waiting.delete(key);
    this.#taken.add(key);
    return { descriptors: [handle.fd], done: () => handle.close?.() };
  }

  keep(place: ListenPlace, duplicates: () => readonly number[]): () => boolean {
    const key = placeKey('tcp', place);
    for (const fd of this.#taken.has(key) ? [] : duplicates()) {
      // The one way to libuv's handle of a descriptor that does not begin to accept.
      const handle = handleOf(new NetSocket({ fd, readable: false, writable: false, manualStart: true } as object));
      if (handle !== undefined) this.#say({ say: 'keep', key }, handle, () => (handle as { close?: () => void }).close?.());
    }
    return () => {
      this.#taken.delete(key);
      if (!this.#handedOver) this.#say({ say: 'drop', key });
      return !this.#handedOver;
    };
  }

  /** Closing gives nothing up from now on: somebody else serves there. */
  handOver(): void {
    this.#handedOver = true;
  }

  /** Nobody took over. */
  goOn(): void {
    this.#handedOver = false;
  }

  /** What nobody wanted has no listener any more: to be called once everything listens. */
  dropUnclaimed(): void {
    for (const [key, handle] of this.#waiting) {
      (handle as { close?: () => void }).close?.();
      this.#say({ say: 'drop', key });
    }
    this.#waiting.clear();
  }

  async #open(socket: Server | Socket, key: string, adopt: (kept: Handle) => Promise<void>, open: () => Promise<void>): Promise<void> {
    const kept = this.#waiting.get(key);
    this.#waiting.delete(key);
    if (kept === undefined) {
      await open();
      const handle = handleOf(socket);
      if (handle !== undefined) this.#say({ say: 'keep', key }, handle);
    } else await adopt(kept);
    socket.once('close', () => {
      if (!this.#handedOver) this.#say({ say: 'drop', key });
    });
  }
}

/** libuv's handle, which Node passes between processes but has no public name for: `_handle` of a server, in a datagram socket's state. */
function handleOf(socket: Server | Socket | NetSocket): Handle | undefined {
  const { _handle: own } = socket as { _handle?: Handle };
  if (own !== undefined && own !== null) return own;
  for (const symbol of Object.getOwnPropertySymbols(socket)) {
    const { handle } = ((socket as unknown as Record<symbol, unknown>)[symbol] ?? {}) as { handle?: Handle };
    if (handle !== undefined && handle !== null) return handle;
  }
  return undefined;
}
