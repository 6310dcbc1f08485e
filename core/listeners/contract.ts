import type { Socket } from 'node:dgram';
import type { Server } from 'node:net';

/** Where a process listens. */
export interface ListenPlace {
  /** Tells it from others of its process where `port` is 0, any free one. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

/** Who opens the listening sockets of a process: itself, or somebody who keeps them open while one process takes over from another. */
export interface ListenerKeeper {
  /**
   * Resolves when `server` listens; rejects with what bind(2) or listen(2) said. Closing the server gives the place up. `another`: makes one more
   * server that does the same, for places of which several sockets were kept; closing all of them gives the place up.
   */
  listen(server: Server, place: ListenPlace, another?: () => Server): Promise<void>;
  /** The same for UDP. */
  bind(socket: Socket, place: ListenPlace): Promise<void>;
  /** For who accepts without a net.Server: what was kept of this place, which nobody gets twice. Undefined: nothing, so that the caller opens its own. */
  take(place: ListenPlace): KeptSockets | undefined;
  /**
   * The caller listens there by itself. `duplicates`: descriptors of its sockets, new ones at each call, which whoever calls closes; not to be
   * called once the returned function was. That is for when the caller closes the listener, and answers whether the place is given up; false:
   * somebody else serves there, to whom those who wait are left.
   */
  keep(place: ListenPlace, duplicates: () => readonly number[]): () => boolean;
  /** How many sockets it keeps of one place. */
  readonly socketsPerPlace: 'one' | 'any';
}

/** Descriptors of listening sockets, the keeper's own until `done`, which is to be called once they are duplicated. */
export interface KeptSockets {
  readonly descriptors: readonly number[];
  done(): void;
}
