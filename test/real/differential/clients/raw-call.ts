import { connect, type Socket } from 'node:net';

/** How the other side ended its direction, or broke off. `open`: neither, for as long as we listened. */
export type Ending = 'end' | 'reset' | 'open';

export interface RawAnswer {
  readonly bytes: Buffer;
  readonly ended: Ending;
}

export interface RawCall {
  readonly port: number;
  /** Written at once. */
  readonly send?: string | Uint8Array;
  /** End our direction after `send`. */
  readonly end?: boolean;
  /** Stop listening once this has come. */
  readonly until?: (bytes: Buffer) => boolean;
  /** Stop listening after this long without a byte. */
  readonly quietMs?: number;
}

export function dial(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}

/** Sends bytes and listens to what comes back, until the other side's end. */
export async function rawCall(call: RawCall): Promise<RawAnswer> {
  let socket: Socket;
  try {
    socket = await dial(call.port);
  } catch (error) {
    // Accepted, and reset before we were told.
    if ((error as NodeJS.ErrnoException).code === 'ECONNRESET') return { bytes: Buffer.alloc(0), ended: 'reset' };
    throw error;
  }
  if (call.send !== undefined) socket.write(call.send);
  if (call.end === true) socket.end();
  const answer = await listen(socket, call);
  socket.destroy();
  return answer;
}

/** Until its end, a break, or what `until` and `quietMs` say; leaves the socket open. */
export function listen(socket: Socket, { until, quietMs = 10_000 }: Pick<RawCall, 'until' | 'quietMs'> = {}): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let timer: NodeJS.Timeout;
    const finish = (ended: Ending) => {
      clearTimeout(timer);
      socket.off('data', onData);
      resolve({ bytes: Buffer.concat(parts), ended });
    };
    const rearm = () => {
      clearTimeout(timer);
      timer = setTimeout(() => finish('open'), quietMs);
    };
    const onData = (chunk: Buffer) => {
      parts.push(chunk);
      rearm();
      if (until?.(Buffer.concat(parts)) === true) finish('open');
    };
    rearm();
    socket.on('data', onData);
    socket.once('end', () => finish('end'));
    socket.once('error', () => finish('reset'));
    socket.once('close', () => finish(socket.readableEnded ? 'end' : 'reset'));
  });
}

/** Of an HTTP/1 answer: its first line, its body, and how the connection went on. */
export function httpOf({ bytes, ended }: RawAnswer): { status: string; body: string; ended: Ending } {
  const text = bytes.toString('latin1');
  const [head = '', ...rest] = text.split('\r\n\r\n');
  return { status: head.split('\r\n')[0] ?? '', body: rest.join('\r\n\r\n'), ended };
}
