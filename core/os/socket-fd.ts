import type { Server, Socket } from 'node:net';
import { unsupported } from './libc.ts';

/**
 * The descriptor under a socket or a listening server of node:net, which Node shows on its inner handle alone: this is the one place that
 * looks there. Undefined when it is closed or not open yet. It stays Node's: never close it, and use it before control returns to the event loop.
 * MeshError UNSUPPORTED where handles show none (Windows, a later Node).
 */
export function socketFd(socket: Socket | Server): number | undefined {
  const handle = (socket as unknown as { readonly _handle?: { readonly fd?: unknown } | null })._handle;
  if (handle === undefined || handle === null) return undefined;
  const { fd } = handle;
  if (typeof fd !== 'number') throw unsupported('the sockets of this Node show no descriptor');
  return fd < 0 ? undefined : fd;
}
