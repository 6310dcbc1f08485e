import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Stands between client and server and counts what goes through: all of TLS, HTTP/2 and gRPC included. */
export interface CountingRelay {
  readonly port: number;
  /** Bytes so far, without TCP/IP headers. */
  readonly down: () => number;
  readonly up: () => number;
  stop(): Promise<void>;
}

export async function startCountingRelay(target: number): Promise<CountingRelay> {
  const bytes = { down: 0, up: 0 };
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port: target, host: '127.0.0.1', noDelay: true });
    client.on('data', (chunk) => {
      bytes.up += chunk.length;
    });
    upstream.on('data', (chunk) => {
      bytes.down += chunk.length;
    });
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    down: () => bytes.down,
    up: () => bytes.up,
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
