import type { Duplex } from 'node:stream';
import { z } from 'zod';

/** SNI and ALPN of tunnels. No host has such a name. */
export const tunnelSni = 'isthmus-tunnel';
export const tunnelAlpn = 'isthmus-tunnel/1';

/** Said once by each side after the handshake, the dialler first: a length in 16 bits, then JSON. Then frames. */
const mostBytes = 4_096;

const helloForm = z.object({ instance: z.string().min(1).max(512), secret: z.string().min(1).max(128) });
/** What a later version adds is not refused. */
const replyForm = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true) }),
  z.object({ ok: z.literal(false), reason: z.string().max(64) }),
]);

/** Who begins a tunnel. `secret`: what only the instance that registered knows, base64url. */
export type TunnelHello = z.output<typeof helloForm>;
/** `reason` of a refusal: `unknown` (nobody is registered so, or not yet), `full`, `draining`. */
export type TunnelReply = z.output<typeof replyForm>;

export function sendGreeting(connection: Duplex, greeting: TunnelHello | TunnelReply): void {
  const text = Buffer.from(JSON.stringify(greeting));
  const length = Buffer.alloc(2);
  length.writeUInt16BE(text.length);
  connection.write(Buffer.concat([length, text]));
}

export function readHello(connection: Duplex): Promise<TunnelHello | undefined> {
  return readGreeting(connection, (value) => helloForm.safeParse(value).data);
}

export function readReply(connection: Duplex): Promise<TunnelReply | undefined> {
  return readGreeting(connection, (value) => replyForm.safeParse(value).data);
}

/**
 * Undefined: it ended, or is none. What came after it is put back; the connection is left paused. The caller holds the deadline: it
 * destroys the connection.
 */
function readGreeting<T>(connection: Duplex, parse: (value: unknown) => T | undefined): Promise<T | undefined> {
  return new Promise((resolve) => {
    let bytes = Buffer.alloc(0);
    const finish = (value: T | undefined) => {
      connection.off('data', onData);
      connection.off('end', onGone);
      connection.off('close', onGone);
      connection.pause();
      resolve(value);
    };
    const onGone = () => finish(undefined);
    const onData = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.length < 2) return;
      const length = bytes.readUInt16BE(0);
      if (length > mostBytes) return finish(undefined);
      if (bytes.length < 2 + length) return;
      const rest = bytes.subarray(2 + length);
      const value = parsed(bytes.subarray(2, 2 + length));
      finish(value === undefined ? undefined : parse(value));
      if (rest.length > 0) connection.unshift(rest);
    };
    connection.on('data', onData);
    connection.on('end', onGone);
    connection.on('close', onGone);
    if (connection.destroyed) return onGone();
    connection.resume();
  });
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}
