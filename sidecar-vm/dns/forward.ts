import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';

const perUpstreamMs = 1_500;

/** The first upstream that answers within 1.5 s, the reply byte for byte; undefined when none does. */
export async function forwardQuery(query: Buffer, upstreams: readonly string[]): Promise<Buffer | undefined> {
  for (const upstream of upstreams) {
    const reply = await ask(query, upstream);
    if (reply !== undefined) return reply;
  }
  return undefined;
}

function ask(query: Buffer, upstream: string): Promise<Buffer | undefined> {
  const [address, port] = splitAddress(upstream);
  return new Promise((resolve) => {
    // A socket of its own for each query: its random source port is what keeps off-path answers out (RFC 5452 §9.2).
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    const finish = (reply: Buffer | undefined) => {
      clearTimeout(timer);
      socket.close();
      resolve(reply);
    };
    const timer = setTimeout(() => finish(undefined), perUpstreamMs);
    socket.on('error', () => finish(undefined));
    socket.on('message', (reply) => {
      if (reply.length >= 12 && reply.readUInt16BE(0) === query.readUInt16BE(0)) finish(reply);
    });
    socket.connect(port, address, () => socket.send(query));
  });
}

function splitAddress(text: string): readonly [string, number] {
  const v6 = /^\[(.+)\](?::(\d+))?$/.exec(text);
  if (v6 !== null) return [v6[1] ?? '', Number(v6[2] ?? 53)];
  if (isIPv6(text)) return [text, 53];
  const colon = text.lastIndexOf(':');
  return colon < 0 ? [text, 53] : [text.slice(0, colon), Number(text.slice(colon + 1))];
}
