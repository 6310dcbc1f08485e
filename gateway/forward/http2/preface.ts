import type { Duplex } from 'node:stream';

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/**
 * Whether the first bytes of a paused connection are HTTP/2's (RFC 9113 §3.4); they stay to be read, and it stays paused. `told` is
 * called later, and never when the connection ends before.
 */
export function detectPreface(socket: Duplex, told: (http2: boolean) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const done = (http2: boolean) => {
    socket.off('data', take).off('end', ended);
    socket.pause();
    if (seen.length > 0) socket.unshift(seen);
    // Inside its own callback the stream would go on to read, past the pause of whoever takes it over.
    setImmediate(() => {
      if (!socket.destroyed) told(http2);
    });
  };
  const take = (chunk: Buffer) => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const length = Math.min(seen.length, preface.length);
    if (seen.compare(preface, 0, length, 0, length) !== 0) done(false);
    else if (length === preface.length) done(true);
  };
  const ended = () => socket.destroy();
  socket.on('data', take).on('end', ended);
  socket.resume();
}
