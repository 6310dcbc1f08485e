import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { createServer, isIPv6, type Server, type Socket as TcpSocket } from 'node:net';
import { decode, encode, type Packet } from 'dns-packet';
import { MeshError } from '../../core/errors.ts';
import { type ListenerKeeper, ownListeners } from '../../core/listeners/index.ts';
import { answerQuery, normalise, refuse, serverFailure, type Zones } from './answer-query.ts';
import { forwardQuery } from './forward.ts';

export interface DnsServerOptions {
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
  /** Resolvers for names outside the mesh, `IP` or `IP:PORT`; empty: such names are REFUSED, and the machine's own resolver goes on to its next. */
  readonly upstreams: readonly string[];
  /** Default: this process alone. */
  readonly listeners?: ListenerKeeper;
  readonly zones: () => Zones;
  /** Run before a name is answered, in lower case without the final dot: brings into `zones` what can be. `unknown`: SERVFAIL. */
  readonly discover?: (name: string) => Promise<'settled' | 'unknown'>;
}

export interface DnsServer {
  readonly address: string;
  readonly port: number;
  close(): Promise<void>;
}

/** RFC 1035 §4.2.1 without EDNS; longer answers set TC, and the client comes back over TCP. */
const maxUdpBytes = 512;
const maxTcpConnections = 64;
const tcpIdleMs = 5_000;
/** Queries that wait for an answer from elsewhere; more are dropped, and asked again by their resolvers. */
const maxUnderWay = 4_096;

/** UDP and TCP on one port. A packet that does not parse is dropped: answering garbage would make the agent a reflector. */
export async function startDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const udp = createSocket(isIPv6(options.address) ? 'udp6' : 'udp4');
  const tcp = createServer();
  tcp.maxConnections = maxTcpConnections;
  let underWay = 0;
  const answer = async (message: Buffer) => {
    if (underWay >= maxUnderWay) return undefined;
    underWay += 1;
    try {
      return await respond(message, options);
    } finally {
      underWay -= 1;
    }
  };
  udp.on('message', (message, from) => void answer(message).then((packet) => sendUdp(udp, packet, from)));
  tcp.on('connection', (socket) => serveTcp(socket, answer));
  try {
    const port = await bind(udp, tcp, options);
    udp.on('error', () => {});
    tcp.on('error', () => {});
    return { address: options.address, port, close: () => closeBoth(udp, tcp) };
  } catch (cause) {
    await closeBoth(udp, tcp);
    throw new MeshError('PORT_TAKEN', `DNS cannot listen on ${options.address}:${options.port}: free it or choose another with --dns`, {
      cause,
    });
  }
}

async function bind(udp: Socket, tcp: Server, options: DnsServerOptions): Promise<number> {
  const { listeners = ownListeners } = options;
  // A free UDP port may be taken for TCP, so an ephemeral pair is looked for a few times.
  for (let attempt = 0; ; attempt++) {
    await listeners.listen(tcp, { name: 'dns', address: options.address, port: options.port });
    const address = tcp.address();
    const port = typeof address === 'object' && address !== null ? address.port : options.port;
    try {
      await listeners.bind(udp, { name: 'dns', address: options.address, port });
      return port;
    } catch (error) {
      await new Promise<void>((resolve) => tcp.close(() => resolve()));
      if (options.port !== 0 || attempt >= 8) throw error;
    }
  }
}

async function respond(message: Buffer, options: DnsServerOptions): Promise<Buffer | undefined> {
  const query = parse(message);
  if (query === undefined || query.type === 'response') return undefined;
  const [question] = query.questions ?? [];
  if (question !== undefined && (await options.discover?.(normalise(question.name))) === 'unknown') return encode(serverFailure(query));
  const verdict = answerQuery(query, options.zones());
  if (verdict.kind === 'answer') return encode(verdict.packet);
  return (await forwardQuery(message, options.upstreams)) ?? encode(refuse(query));
}

function parse(message: Buffer): Packet | undefined {
  if (message.length < 12) return undefined;
  try {
    return decode(message);
  } catch {
    return undefined;
  }
}

function sendUdp(udp: Socket, packet: Buffer | undefined, to: RemoteInfo): void {
  if (packet === undefined) return;
  udp.send(packet.length <= maxUdpBytes ? packet : truncate(packet), to.port, to.address, () => {});
}

/** The header and question alone, with TC set (RFC 2181 §9). */
function truncate(packet: Buffer): Buffer {
  const full = decode(packet);
  const short = encode({ id: full.id ?? 0, type: 'response', flags: (full.flags ?? 0) | (1 << 9), questions: full.questions ?? [] });
  return short;
}

function serveTcp(socket: TcpSocket, answer: (message: Buffer) => Promise<Buffer | undefined>): void {
  let pending: Buffer = Buffer.alloc(0);
  let chain = Promise.resolve();
  socket.setTimeout(tcpIdleMs, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
      const end = 2 + pending.readUInt16BE(0);
      const message = pending.subarray(2, end);
      pending = pending.subarray(end);
      chain = chain
        .then(() => answer(message))
        .then((packet) => {
          if (packet === undefined) return void socket.destroy();
          const length = Buffer.alloc(2);
          length.writeUInt16BE(packet.length);
          socket.write(Buffer.concat([length, packet]));
        });
    }
  });
}

async function closeBoth(udp: Socket, tcp: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    try {
      udp.close(() => resolve());
    } catch {
      resolve(); // never bound, or closed already
    }
  });
  await new Promise<void>((resolve) => (tcp.listening ? tcp.close(() => resolve()) : resolve()));
}
