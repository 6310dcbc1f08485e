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
  /** Resolves when `server` listens; rejects with what bind(2) or listen(2) said. Closing the server gives the place up. */
  listen(server: Server, place: ListenPlace): Promise<void>;
  /** The same for UDP. */
  bind(socket: Socket, place: ListenPlace): Promise<void>;
}
