import { readSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { socketFd } from '../../../core/os/socket-fd.ts';
import { transportOf } from './abort-stream.ts';

const one = Buffer.alloc(1);

/**
 * Whether what was read as the end of a stream was a reset: libuv takes a hang-up after a short read for an end (uv__stream_io), and so a stream that is
 * reset right behind data passes for whole. The kernel still knows. Where the descriptor is gone already, the end is believed.
 */
export function endedByReset(stream: Duplex): boolean {
  const transport = transportOf(stream);
  const fd = transport === undefined ? undefined : descriptor(transport);
  if (fd === undefined) return false;
  try {
    // A byte behind an end: something was lost, so it is none.
    return readSync(fd, one) > 0;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EAGAIN';
  }
}

/** Undefined where handles show none, too: ends are believed there. */
function descriptor(transport: Parameters<typeof socketFd>[0]): number | undefined {
  try {
    return socketFd(transport);
  } catch {
    return undefined;
  }
}
