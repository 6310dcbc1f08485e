import { request as sendPlain } from 'node:http';
import { request as sendTls } from 'node:https';
import { BreakableServer } from './breakable-server.ts';

/** Stands before a real server, so that it too can be broken in every way. Ends TLS where the server speaks it; `ca` is its authority's PEM. */
export class BreakingProxy {
  readonly server: BreakableServer;

  constructor(target: string, ca?: string) {
    this.server = new BreakableServer((request, response, body) => {
      const call = { method: request.method, headers: request.headers };
      const url = new URL(request.url ?? '/', target);
      const upstream = url.protocol === 'https:' ? sendTls(url, { ...call, ...(ca && { ca }) }) : sendPlain(url, call);
      const silent = () => this.server.broken === 'silence';
      const unhook = this.server.whenBroken(() => {
        upstream.destroy();
        if (response.headersSent) response.destroy();
        else this.server.reply(response, 200, { a: [1, 2, 3] });
      });
      upstream.on('response', (answer) => {
        if (silent() || response.destroyed) return;
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        // A watch may say nothing for long after its headers.
        response.flushHeaders();
        answer.on('data', (chunk: Buffer) => silent() || response.write(chunk));
        answer.on('end', () => silent() || response.end());
        answer.on('error', () => response.destroy());
      });
      upstream.on('error', () => response.headersSent || this.server.broken !== undefined || response.destroy());
      response.on('close', () => {
        unhook();
        upstream.destroy();
      });
      upstream.end(body);
    });
  }
}
