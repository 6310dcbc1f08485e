import type { Socket } from 'node:dgram';
import type { Server } from 'node:net';
import type { ListenerKeeper } from './contract.ts';

/** A process that nobody takes over from. */
export const ownListeners: ListenerKeeper = {
  listen: (server, { address, port }) => listening(server, () => server.listen(port, address)),
  bind: (socket, { address, port }) => listening(socket, () => socket.bind(port, address)),
  take: () => undefined,
  keep: () => () => true,
  socketsPerPlace: 'any',
};

/** Begins, and waits until it listens. Rejects with the error that it could not be had with. */
export function listening(emitter: Server | Socket, begin: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      emitter.off('error', failed);
      resolve();
    };
    const failed = (error: Error) => {
      emitter.off('listening', done);
      reject(error);
    };
    emitter.once('listening', done);
    emitter.once('error', failed);
    begin();
  });
}
