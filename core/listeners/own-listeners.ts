import type { Socket } from 'node:dgram';
import type { Server } from 'node:net';
import type { ListenerKeeper } from './contract.ts';

/** A process that nobody takes over from. */
export const ownListeners: ListenerKeeper = {
  listen: (server, { address, port }) => settled(server, 'listening', () => server.listen(port, address)),
  bind: (socket, { address, port }) => settled(socket, 'listening', () => socket.bind(port, address)),
};

/** Begins, and waits for `event` or an error. */
export function settled(emitter: Server | Socket, event: 'listening', begin: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      emitter.off('error', failed);
      resolve();
    };
    const failed = (error: Error) => {
      emitter.off(event, done);
      reject(error);
    };
    emitter.once(event, done);
    emitter.once('error', failed);
    begin();
  });
}
