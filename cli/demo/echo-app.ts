import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * The application behind every service in the end-to-end tests: answers who it is and which caller the mTLS end saw. Also a
 * program of its own: `node echo-app.js NAME ADDRESS PORT`, for VMs, Nomad tasks and pods.
 */
export interface EchoReply {
  readonly app: string;
  readonly method: string;
  readonly path: string;
  /** The caller's SPIFFE id out of x-forwarded-client-cert; empty when the header is missing. */
  readonly principal: string;
  readonly body: string;
}

export interface EchoApp {
  readonly port: number;
  close(): Promise<void>;
}

export async function startEchoApp(name: string, address = '127.0.0.1', port = 0): Promise<EchoApp> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const reply: EchoReply = {
      app: name,
      method: request.method ?? '',
      path: request.url ?? '',
      principal: principalIn(request),
      body: Buffer.concat(chunks).toString('utf8'),
    };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(reply));
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, address, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function principalIn(request: IncomingMessage): string {
  const header = request.headers['x-forwarded-client-cert'];
  return /(?:^|;)URI=([^;,]+)/.exec(typeof header === 'string' ? header : '')?.[1] ?? '';
}

const [, script = '', name, address, port] = process.argv;
if (script.endsWith('echo-app.js') && name !== undefined) {
  const app = await startEchoApp(name, address ?? '127.0.0.1', Number(port ?? 0));
  process.stdout.write(`${JSON.stringify({ listening: app.port })}\n`);
  process.once('SIGTERM', () => void app.close().then(() => process.exit(0)));
}
