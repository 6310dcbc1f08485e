import type { Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { mtlsServerOptions, type Svid, type TrustBundle } from '../../../core/identity/index.ts';
import type { TestSockets } from '../../support/mesh-sockets.ts';
import { readProxyHeader } from '../../support/proxy-header.ts';

/** A server that demands a PROXY header before anything else. */
export interface ToldServer {
  readonly port: number;
  /** Of each connection, in their order. */
  readonly headers: Buffer[];
}

/** `onSocket` gets the socket paused, with what follows the header. */
export async function serveTold(sockets: TestSockets, onSocket: (socket: Socket) => void): Promise<ToldServer> {
  const headers: Buffer[] = [];
  const { port } = await sockets.serve((socket) => {
    let bytes = Buffer.alloc(0);
    const take = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const header = readProxyHeader(bytes);
      if (header === undefined) return;
      headers.push(bytes.subarray(0, header.length));
      socket.off('data', take);
      socket.pause();
      if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length));
      onSocket(socket);
    };
    socket.on('data', take);
  });
  return { port, headers };
}

/** The same, with an end of mTLS behind the header. */
export async function serveToldMtls(
  sockets: TestSockets,
  svid: Svid,
  bundle: TrustBundle,
  onSocket: (socket: TLSSocket) => void,
): Promise<ToldServer> {
  const tls = createTlsServer({ ...mtlsServerOptions(svid, bundle), allowHalfOpen: true }, (socket) => {
    sockets.track(socket);
    onSocket(socket);
  });
  tls.on('tlsClientError', () => {});
  return serveTold(sockets, (socket) => void tls.emit('connection', socket));
}
