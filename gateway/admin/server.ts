import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MeshError } from '../../core/errors.ts';
import { type ListenerKeeper, ownListeners } from '../../core/listeners/index.ts';
import type { ListenAddress } from './contract.ts';

/** What a page answers; undefined: not for this caller. */
export type Page = (request: IncomingMessage) => Promise<PageAnswer> | PageAnswer;

export interface PageAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export interface PlainServer extends ListenAddress {
  /** Takes nobody new; who is being answered is. Idempotent. */
  stop(): void;
  /** Idempotent; ends connections. */
  close(): Promise<void>;
}

const maxConnections = 64;

/** A few read-only pages in plaintext, for probes and scrapers. Rejects with MeshError PORT_TAKEN; `what` names it there. */
export async function servePages(
  what: string,
  at: ListenAddress,
  pages: ReadonlyMap<string, Page>,
  listeners: ListenerKeeper = ownListeners,
): Promise<PlainServer> {
  const server = createServer({ maxHeaderSize: 8_192, requestTimeout: 5_000, headersTimeout: 5_000, keepAliveTimeout: 5_000 });
  server.maxConnections = maxConnections;
  server.on('request', (request, response) => {
    answer(request, response, pages).catch(() => response.destroy());
  });
  await listeners.listen(server, { name: what, address: at.address, port: at.port }).catch((cause: Error) => {
    throw new MeshError('PORT_TAKEN', `${what} cannot listen on ${at.address}:${at.port}: ${cause.message}`, { cause });
  });
  const { address, port } = server.address() as AddressInfo;
  return { address, port, stop: () => void server.close(), close: () => close(server) };
}

async function answer(request: IncomingMessage, response: ServerResponse, pages: ReadonlyMap<string, Page>): Promise<void> {
  const path = (request.url ?? '/').split('?')[0] ?? '/';
  const page = pages.get(path);
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, text(405, 'only GET is answered here'));
  if (page === undefined) return send(response, text(404, `try ${[...pages.keys()].join(', ')}`));
  send(response, await page(request));
}

export function text(status: number, body: string): PageAnswer {
  return { status, type: 'text/plain', body: `${body}\n` };
}

export function json(status: number, value: unknown): PageAnswer {
  return { status, type: 'application/json', body: `${JSON.stringify(value)}\n` };
}

function send(response: ServerResponse, { status, type, body }: PageAnswer): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body), 'cache-control': 'no-store' }).end(body);
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
