import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { MeshError } from '../../core/errors.ts';
import type { ListenerKeeper } from '../../core/listeners/index.ts';
import type { AgentStatus, ListenAddress } from '../contract.ts';

export interface AdminOptions extends ListenAddress {
  readonly status: () => AgentStatus;
  readonly listeners: ListenerKeeper;
  readonly metrics: Registry;
  /** What others say of themselves, in the same form. */
  readonly more: () => Promise<string>;
}

export interface AdminServer extends ListenAddress {
  close(): Promise<void>;
}

const maxConnections = 64;

/** Liveness, readiness, metrics and status in plaintext; it changes nothing and holds no secret. MeshError PORT_TAKEN. */
export async function startAdmin(options: AdminOptions): Promise<AdminServer> {
  const server = createServer({ maxHeaderSize: 8_192, requestTimeout: 5_000, headersTimeout: 5_000, keepAliveTimeout: 5_000 });
  server.maxConnections = maxConnections;
  server.on('request', (request, response) => {
    answer(request, response, options).catch(() => response.destroy());
  });
  const place = { name: 'admin', address: options.address, port: options.port };
  await options.listeners.listen(server, place).catch((cause: unknown) => {
    const at = `${options.address}:${options.port}`;
    throw new MeshError('PORT_TAKEN', `health and metrics cannot listen on ${at}: free it or choose another with --admin`, { cause });
  });
  const { address, port } = server.address() as AddressInfo;
  return { address, port, close: () => close(server) };
}

async function answer(request: IncomingMessage, response: ServerResponse, { status, metrics, more }: AdminOptions): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return void send(response, 405, 'text/plain', 'only GET is answered here\n');
  switch (new URL(request.url ?? '/', 'http://agent').pathname) {
    case '/healthz':
      return send(response, 200, 'text/plain', 'ok\n');
    case '/healthz/ready': {
      const { ready, stages } = status();
      return send(response, ready ? 200 : 503, 'application/json', `${JSON.stringify({ ready, stages })}\n`);
    }
    case '/metrics':
      return send(response, 200, metrics.contentType, (await Promise.all([metrics.metrics(), more()])).join('\n'));
    case '/v1/agent':
      return send(response, 200, 'application/json', `${JSON.stringify(status())}\n`);
    default:
      return send(response, 404, 'text/plain', 'try /healthz, /healthz/ready, /metrics or /v1/agent\n');
  }
}

function send(response: ServerResponse, code: number, type: string, body: string): void {
  response.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(body), 'cache-control': 'no-store' }).end(body);
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
