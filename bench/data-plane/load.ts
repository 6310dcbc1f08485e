import { once } from 'node:events';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { quantile } from '../measure.ts';

/** How long each operation took, µs, ascending, and how many there were. */
export interface Latencies {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
}

/** Opens mTLS connections; rejects when one is refused. */
export async function openAll(count: number, port: number, options: ConnectionOptions): Promise<readonly TLSSocket[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect({ ...options, host: '127.0.0.1', port });
      await once(socket, 'secureConnect');
      socket.setNoDelay(true);
      return socket;
    }),
  );
}

/**
 * On each connection one operation after the other, for `ms`: `question` is sent, and `answered` says of what came back when it is whole.
 * Rejects when a connection breaks off or an answer is not what was expected.
 */
export async function closedLoop(
  sockets: readonly TLSSocket[],
  question: Buffer,
  answered: (received: Buffer) => boolean,
  ms: number,
): Promise<Latencies> {
  const end = performance.now() + ms;
  const took: number[] = [];
  await Promise.all(sockets.map((socket) => loop(socket, question, answered, end, took)));
  took.sort((a, b) => a - b);
  return { count: took.length, p50: quantile(took, 0.5), p99: quantile(took, 0.99) };
}

function loop(socket: TLSSocket, question: Buffer, answered: (received: Buffer) => boolean, end: number, took: number[]): Promise<void> {
  return new Promise((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0);
    let sent = 0;
    const send = () => {
      received = Buffer.alloc(0);
      sent = performance.now();
      socket.write(question);
    };
    const take = (data: Buffer) => {
      received = received.length === 0 ? data : Buffer.concat([received, data]);
      try {
        if (!answered(received)) return;
      } catch (error) {
        settle(() => reject(error));
        return;
      }
      const now = performance.now();
      took.push((now - sent) * 1e3);
      if (now < end) send();
      else settle(resolve);
    };
    const broken = () => settle(() => reject(new Error('a connection through the gateway broke off')));
    const settle = (how: () => void) => {
      socket.off('data', take).off('close', broken);
      how();
    };
    socket.on('data', take).on('close', broken).on('error', broken);
    send();
  });
}

/** Whether a response with a content-length is whole; throws for any other status than 200. */
export function wholeResponse(received: Buffer): boolean {
  const head = received.indexOf('\r\n\r\n');
  if (head < 0) return false;
  const text = received.toString('latin1', 0, head);
  if (!text.startsWith('HTTP/1.1 200')) throw new Error(`the gateway answered ${text.slice(0, text.indexOf('\r\n'))}`);
  const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
  if (length === undefined) throw new Error('the response has no content-length');
  return received.length >= head + 4 + Number(length);
}
