import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { mtlsClientOptions, mtlsServerOptions, type Svid, type TrustBundle } from '../../core/identity/index.ts';
import { claimPort } from './claim-port.ts';

/** Sockets and servers of one test, closed together by `close`. */
export class TestSockets {
  readonly #open = new Set<Socket>();
  readonly #servers = new Set<Server>();
  readonly #beneath = new WeakMap<TLSSocket, Socket>();
  /** TCP sockets that servers of this test have open. */
  readonly accepted = new Set<Socket>();

  /** A TCP server on loopback; `onSocket` gets half-open sockets. */
  async serve(onSocket: (socket: Socket) => void): Promise<{ port: number; server: Server }> {
    return this.#listen(createServer({ allowHalfOpen: true }, onSocket));
  }

  /** An mTLS server as a sidecar would be; `ecdhCurve`: the groups that it knows, as OpenSSL names them. */
  async serveMtls(
    svid: Svid,
    bundle: TrustBundle,
    onSocket: (socket: TLSSocket) => void,
    alpn: readonly string[] = [],
    ecdhCurve = 'auto',
  ) {
    const server = createTlsServer({ ...mtlsServerOptions(svid, bundle, alpn), allowHalfOpen: true, ecdhCurve }, onSocket);
    server.on('tlsClientError', () => {});
    return this.#listen(server);
  }

  async #listen(server: Server) {
    server.on('connection', (socket: Socket) => {
      this.accepted.add(socket);
      this.track(socket);
      socket.on('close', () => this.accepted.delete(socket));
    });
    server.on('secureConnection', (socket: Socket) => this.track(socket));
    this.#servers.add(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { port: (server.address() as AddressInfo).port, server };
  }

  async connect(port: number, address = '127.0.0.1'): Promise<Socket> {
    const socket = this.track(connectTcp({ port, host: address, allowHalfOpen: true }));
    await once(socket, 'connect');
    return socket;
  }

  /** Rejects when the handshake fails. `ecdhCurve`: the groups that it knows; its hello has a key of the first. */
  async connectMtls(
    port: number,
    svid: Svid,
    bundle: TrustBundle,
    target: { sni: string; uriSans: readonly string[]; clusterSan: string; alpn?: readonly string[] },
    ecdhCurve = 'auto',
  ): Promise<TLSSocket> {
    const transport = await this.connect(port);
    const socket = connectTls({ ...mtlsClientOptions(svid, bundle, target, Date.now), socket: transport, ecdhCurve });
    this.track(socket);
    this.#beneath.set(socket, transport);
    await once(socket, 'secureConnect');
    return socket;
  }

  /** Breaks off one of `connectMtls`, beneath TLS. */
  reset(socket: TLSSocket): void {
    this.#beneath.get(socket)?.resetAndDestroy();
  }

  /** Breaks off all that servers of this test have accepted. */
  resetAccepted(): void {
    for (const socket of this.accepted) socket.resetAndDestroy();
  }

  track<T extends Socket>(socket: T): T {
    socket.on('error', () => {});
    this.#open.add(socket);
    socket.on('close', () => this.#open.delete(socket));
    return socket;
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#open) socket.destroy();
  }
}

/** Everything until the other side's end; rejects when it breaks off instead. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  return new Promise((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('end', () => resolve(Buffer.concat(chunks)));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed before its end')));
  });
}

/**
 * A port of 127.0.0.1 on which nobody listens: below those that the system hands out by itself, where another test's connection may take it
 * at any moment, and those that test servers of Nomad hand out, never the same twice, and each process begins at a place of its own.
 */
export async function deadPort(): Promise<number> {
  for (;;) {
    const port = firstPort + ((process.pid * 61 + issued) % ports);
    issued += 1;
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    server.close();
    await once(server, 'close');
    if (await claimPort(port)) return port;
  }
}

const firstPort = 20_000;
const ports = 10_000;
let issued = 0;
