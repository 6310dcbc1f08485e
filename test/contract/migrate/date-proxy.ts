import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** In front of a server whose clock is off by so much, as far as its Date header says. */
export async function shiftDates(
  url: string,
  byMs: number,
  listen: { readonly address: string; readonly port: number } = { address: '127.0.0.1', port: 0 },
): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const headers = { 'content-type': request.headers['content-type'] ?? 'text/plain' };
    const answer = await fetch(`${url}${request.url}`, { method: 'POST', headers, body: Buffer.concat(parts).toString() });
    response.writeHead(answer.status, { 'content-type': 'application/json', date: new Date(Date.now() + byMs).toUTCString() });
    response.end(await answer.text());
  });
  await new Promise<void>((resolve) => server.listen(listen.port, listen.address, resolve));
  return {
    url: `http://${listen.address}:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
