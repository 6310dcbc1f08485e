import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { mtlsServerOptions, type Svid, type TrustBundle } from '../../core/identity/index.ts';

const replyBytes = 1_024;

/** What stands behind the gateway: a plain HTTP app, and a workload's mTLS end that echoes. */
export interface Backends {
  readonly appPort: number;
  readonly echoPort: number;
  stop(): void;
}

export async function startBackends(svid: Svid, bundle: TrustBundle): Promise<Backends> {
  const body = Buffer.alloc(replyBytes, 'x');
  const app = createHttpServer((request, response) => {
    request.resume();
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': body.length }).end(body);
  });
  app.keepAliveTimeout = 60_000;
  const echo = createTlsServer(mtlsServerOptions(svid, bundle), (socket) => {
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('data', (data) => socket.write(data));
  });
  const open = new Set<Socket>();
  const track = (socket: Socket) => void open.add(socket.on('close', () => open.delete(socket)));
  app.on('connection', track);
  echo.on('connection', track);
  const stop = () => {
    app.close();
    echo.close();
    for (const socket of open) socket.destroy();
  };
  return { appPort: await listen(app), echoPort: await listen(echo), stop };
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
