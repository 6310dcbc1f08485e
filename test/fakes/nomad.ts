import type { IncomingMessage, ServerResponse } from 'node:http';
import { BreakableServer } from './breakable-server.ts';
import { NomadState } from './nomad-state.ts';

/**
 * Nomad's service discovery API (v1) as Isthmus uses it: lists with blocking queries, results of checks, and the event stream with
 * its heartbeats, topics and a buffer that forgets. Held to the real one by the contract suite.
 */
export class FakeNomad {
  readonly server = new BreakableServer((request, response) => this.#handle(request, response));
  state = new NomadState();
  /** What a token may not do: those paths answer 403. */
  readonly forbidden = new Set<string>();
  /** Events that the broker keeps; older ones are skipped without a word. */
  buffer = 100;
  readonly requests: string[] = [];
  readonly #held = new Set<() => void>();
  readonly #streams = new Set<() => void>();

  /** As a server that lost its data: nothing registered, indexes start over, streams end. */
  reset(): void {
    this.state = new NomadState();
    for (const end of [...this.#streams]) end();
    this.notify();
  }

  /** Lets blocked queries and streams look again; call after changing `state`. */
  notify(): void {
    for (const look of [...this.#held]) look();
  }

  /** Cuts every event stream, as a proxy does that had enough. */
  cutStreams(): void {
    for (const end of [...this.#streams]) end();
  }

  get streams(): number {
    return this.#streams.size;
  }

  async stop(): Promise<void> {
    this.cutStreams();
    await this.server.stop();
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://nomad');
    this.requests.push(`${request.method} ${url.pathname}${url.search}`);
    if (this.forbidden.has(url.pathname) || (url.searchParams.getAll('topic').includes('Node') && this.forbidden.has('/v1/nodes'))) {
      response.writeHead(403, { 'content-type': 'text/plain' }).end('Permission denied');
    } else if (url.pathname === '/v1/event/stream') this.#stream(url, response);
    else if (url.pathname.startsWith('/v1/client/allocation/')) {
      const id = decodeURIComponent(url.pathname.split('/')[4] ?? '');
      this.server.reply(response, 200, this.state.checks.get(id) ?? null);
    } else this.#read(url, response);
  }

  #read(url: URL, response: ServerResponse): void {
    const state = this.state;
    const look = () => this.state.read(url.pathname, url.searchParams.get('namespace') ?? 'default');
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
      this.server.reply(response, 200, body, { 'x-nomad-index': String(index) });
    };
    const again = () => {
      if (this.server.broken !== undefined) return;
      if (this.state !== state || (look()?.index ?? 0) > index) send();
    };
    const timer = setTimeout(() => this.server.broken === 'silence' || send(), wait);
    const unhook = this.server.whenBroken(send);
    response.on('close', () => {
      clearTimeout(timer);
      this.#held.delete(again);
      unhook();
    });
    this.#held.add(again);
    if (index === 0 || first.index > index) send();
  }

  #stream(url: URL, response: ServerResponse): void {
    const topics = new Set(url.searchParams.getAll('topic'));
    const namespace = url.searchParams.get('namespace') ?? 'default';
    const { events } = this.state;
    const from = Number(url.searchParams.get('index') ?? 0);
    const oldest = Math.max(0, events.length - this.buffer);
    let at =
      from === 0
        ? events.length
        : Math.max(
            oldest,
            events.findIndex((e) => e.Index >= from),
          );
    if (from > this.state.index) at = events.length;
    const write = (value: object) => this.server.broken === 'silence' || response.write(`${JSON.stringify(value)}\n`);
    const more = () => {
      for (; at < events.length; at++) {
        const event = events[at];
        if (event === undefined || !topics.has(event.Topic)) continue;
        if (namespace === '*' || event.Namespace === '' || event.Namespace === namespace) write({ Index: event.Index, Events: [event] });
      }
    };
    const end = () => response.destroy();
    const unhook = this.server.whenBroken(end);
    const heartbeat = setInterval(() => write({}), 200);
    response.on('close', () => {
      clearInterval(heartbeat);
      this.#held.delete(more);
      this.#streams.delete(end);
      unhook();
    });
    this.#held.add(more);
    this.#streams.add(end);
    response.writeHead(200, { 'content-type': 'application/json' });
    write({});
    more();
  }
}
