import type { IncomingMessage, ServerResponse } from 'node:http';
import { BreakableServer } from './breakable-server.ts';
import { ConsulState } from './consul-state.ts';

const longestWaitMs = 600_000;

/**
 * Consul's catalog and health API (v1) as Isthmus uses it, with Consul's blocking queries, indexes, external nodes, meta key rules
 * and tokens. Held to the real one by the contract suite.
 */
export class FakeConsul {
  readonly server = new BreakableServer((request, response, body) => this.#handle(request, response, body));
  state = new ConsulState();
  /** When set, requests without it are refused as Consul does. */
  token: string | undefined;
  /** Query strings of every request, newest last. */
  readonly requests: string[] = [];
  readonly #held = new Set<() => void>();

  /** As a server that lost its data: nothing registered, indexes start over; blocked queries are abandoned. */
  reset(): void {
    this.state = new ConsulState();
    this.notify();
  }

  /** Lets blocked queries look again; call after changing `state`. */
  notify(): void {
    for (const look of [...this.#held]) look();
  }

  async stop(): Promise<void> {
    this.notify();
    await this.server.stop();
  }

  #handle(request: IncomingMessage, response: ServerResponse, body: string): void {
    const url = new URL(request.url ?? '/', 'http://consul');
    this.requests.push(`${request.method} ${url.pathname}${url.search}`);
    if (this.token !== undefined && request.headers['x-consul-token'] !== this.token) {
      response.writeHead(403, { 'content-type': 'text/plain' }).end('rpc error: Permission denied: anonymous token lacks permission');
      return;
    }
    if (request.method === 'PUT') this.#write(url.pathname, response, body);
    else this.#read(url, response);
  }

  #write(path: string, response: ServerResponse, body: string): void {
    const input = JSON.parse(body) as Record<string, never>;
    const error = path === '/v1/catalog/register' ? this.state.register(input) : this.state.deregister(input);
    if (error !== undefined) response.writeHead(500, { 'content-type': 'text/plain' }).end(error);
    else this.server.reply(response, 200, true);
    this.notify();
  }

  #read(url: URL, response: ServerResponse): void {
    const [, , area = '', kind = '', name = ''] = url.pathname.split('/').map(decodeURIComponent);
    const state = this.state;
    const look = () => this.state.read(`${area}/${kind}`, name);
    const index = Number(url.searchParams.get('index') ?? 0);
    const wait = Number(/^(\d+)ms$/.exec(url.searchParams.get('wait') ?? '')?.[1] ?? 300_000);
    const first = look();
    if (first === undefined) {
      response.writeHead(404).end();
      return;
    }
    const send = () => {
      clearTimeout(timer);
      this.#held.delete(again);
      unhook();
      const { body, index } = look() ?? { body: null, index: 0 };
      this.server.reply(response, 200, body, { 'x-consul-index': String(index) });
    };
    const again = () => {
      if (this.server.broken !== undefined) return;
      if (this.state !== state || (look()?.index ?? 0) > index) send();
    };
    const timer = setTimeout(() => this.server.broken === 'silence' || send(), Math.min(wait, longestWaitMs));
    const unhook = this.server.whenBroken(send);
    response.on('close', () => {
      clearTimeout(timer);
      this.#held.delete(again);
      unhook();
    });
    this.#held.add(again);
    if (index === 0 || first.index > index) send();
  }
}
