import { connect } from 'node:net';
import type { Clock } from '../../core/clock.ts';

/** `refused`: somebody answered for it. `nothing`: nobody did in time, or nothing leads there. */
export type TcpProbe = 'open' | 'refused' | 'nothing';

/** Connects and closes. Never rejects. */
export async function probeTcp(host: string, port: number, timeoutMs: number, clock: Clock): Promise<TcpProbe> {
  const over = new AbortController();
  const socket = connect({ host, port, noDelay: true });
  try {
    return await Promise.race([
      new Promise<TcpProbe>((resolve) => {
        socket.once('connect', () => resolve('open'));
        socket.once('error', (error: NodeJS.ErrnoException) => resolve(isAnswer(error.code) ? 'refused' : 'nothing'));
      }),
      clock.sleep(timeoutMs, over.signal).then(
        // Where our own process stood still an answer may be there, unread.
        () => new Promise<TcpProbe>((resolve) => setImmediate(() => setImmediate(() => resolve('nothing')))),
        () => 'nothing' as const,
      ),
    ]);
  } finally {
    over.abort();
    socket.on('error', () => {});
    socket.destroy();
  }
}

function isAnswer(code: string | undefined): boolean {
  return code === 'ECONNREFUSED' || code === 'ECONNRESET';
}
