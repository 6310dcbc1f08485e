import { chmod, rm } from 'node:fs/promises';
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import { MeshError } from '../../core/errors.ts';

/** What Linux takes, in bytes. */
const longestPath = 107;

/**
 * Binds a socket that its user alone can open (0600); its folder is there and its owner's alone. MeshError CONFIG_INVALID when the path is
 * too long for a socket, PORT_TAKEN when it can't be bound; the server is shut down then.
 */
export async function bindOwnerSocket(server: Server, socket: string): Promise<void> {
  try {
    if (Buffer.byteLength(socket) > longestPath) {
      const message = `${socket} is too long for a socket (${longestPath} bytes at most): choose a shorter --state-dir`;
      throw new MeshError('CONFIG_INVALID', message);
    }
    // Of a process that was killed: whoever runs on this folder holds its lock, so nobody serves there.
    await rm(socket, { force: true });
    await new Promise<void>((resolve, reject) =>
      server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => (error === null ? resolve() : reject(error))),
    );
    await chmod(socket, 0o600);
  } catch (cause) {
    server.forceShutdown();
    if (cause instanceof MeshError) throw cause;
    throw new MeshError('PORT_TAKEN', `cannot listen on ${socket}: check its folder's rights`, { cause });
  }
}
