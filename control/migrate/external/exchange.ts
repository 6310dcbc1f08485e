import { readFile } from 'node:fs/promises';
import { Agent, type Dispatcher } from 'undici';
import type { Clock } from '../../../core/clock.ts';
import { childController } from '../../../core/lifecycle.ts';

/** One POST, bounded. `product` is what people call the other side in messages. */
export interface Exchange {
  readonly product: string;
  /** Whose url, files and timeout these are, in messages. Default `gate`. */
  readonly owner?: string;
  readonly url: string;
  readonly contentType: string;
  readonly body: string;
  /** Read anew for each request, as is `caFile`, so that what was rotated needs no restart. */
  readonly tokenFile?: string | undefined;
  readonly caFile?: string | undefined;
  /** From sending to the last byte, ms. */
  readonly timeoutMs: number;
}

export interface Reply {
  readonly status: number;
  readonly text: string;
  /** Unix ms by the other side's clock; undefined: it did not say. */
  readonly date: number | undefined;
}

/** No whole answer came. The message says what to check; it holds neither the token nor the URL's credentials, path or query. */
class NoAnswer extends Error {}

/** Why there was no whole answer. Anything but NoAnswer is a mistake of ours, which must not end the leader that asked. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const MAX_BODY_BYTES = 1024 * 1024;

/**
 * Sends it on a connection of its own, and follows no redirect: the token is for one origin. Rejects with NoAnswer alone, also when `signal` aborts.
 */
export async function exchange(what: Exchange, clock: Clock, signal: AbortSignal): Promise<Reply> {
  const { controller, release } = childController(signal);
  const timer = new AbortController();
  let late = false;
  const expire = (): void => {
    late = true;
    controller.abort();
  };
  clock.sleep(what.timeoutMs, timer.signal).then(expire, () => undefined);
  try {
    return await send(what, controller.signal);
  } catch (error) {
    if (error instanceof NoAnswer) throw error;
    if (signal.aborted) throw new NoAnswer(`${nameOf(what)} was not waited for: the control plane stopped asking`);
    throw new NoAnswer(late ? `${nameOf(what)} did not answer within ${what.timeoutMs} ms: ${lateOf(what)}` : describe(what, error));
  } finally {
    timer.abort();
    release();
  }
}

/** A timeout that nobody can write is not to be raised. */
function lateOf({ owner }: Exchange): string {
  return `check whether it hangs or a firewall drops its packets${owner === undefined ? ", or raise the gate's timeout" : ''}`;
}

function ownerOf({ owner = 'gate' }: Exchange): string {
  return `the ${owner}'s`;
}

/** As in `Prometheus at http://10.0.0.1:9090`. */
export function nameOf({ product, url }: Pick<Exchange, 'product' | 'url'>): string {
  return `${product} at ${URL.canParse(url) ? new URL(url).origin : 'an invalid URL'}`;
}

async function send(what: Exchange, signal: AbortSignal): Promise<Reply> {
  const token = await read(what, 'tokenFile');
  const ca = await read(what, 'caFile');
  const agent = new Agent({
    connections: 1,
    pipelining: 0,
    // All times are within that of the exchange.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: what.timeoutMs, ...(ca === undefined ? {} : { ca }) },
  });
  try {
    const url = new URL(what.url);
    url.username = '';
    url.password = '';
    const response = await agent.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: 'POST',
      headers: {
        'content-type': what.contentType,
        accept: 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token.trim()}` }),
      },
      body: what.body,
      signal,
    });
    const date = Date.parse([response.headers['date']].flat()[0] ?? '');
    return {
      status: response.statusCode,
      text: await readText(what, response.body),
      date: Number.isNaN(date) ? undefined : date,
    };
  } finally {
    await agent.destroy();
  }
}

async function read(what: Exchange, key: 'tokenFile' | 'caFile'): Promise<string | undefined> {
  const file = what[key];
  if (file === undefined) return undefined;
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new NoAnswer(
      `${nameOf(what)} was not asked: ${key} ${file} cannot be read (${code ?? 'unknown'}): check that it is there, and its mode`,
    );
  }
}

async function readText(what: Exchange, body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES)
      throw new NoAnswer(
        `${nameOf(what)} answered more than ${MAX_BODY_BYTES} bytes: check ${ownerOf(what)} url${what.owner === undefined ? ' and query' : ''}`,
      );
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function describe(what: Exchange, error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  const certificate = code !== undefined && /CERT|SIGNATURE|ISSUER/.test(code);
  const tls = certificate || code?.startsWith('ERR_SSL') === true || code?.startsWith('ERR_TLS') === true;
  return `${nameOf(what)} cannot be reached (${code ?? message ?? 'unknown'}): ${
    tls ? `check ${ownerOf(what)} caFile and the name in its certificate` : `check ${ownerOf(what)} url and that it runs`
  }`;
}

/** What a status says that is not the answer to the question; `undefined` for one that may be. */
export function describeStatus(what: Exchange, status: number): string | undefined {
  const said = `${nameOf(what)} answered ${status}`;
  if (status >= 300 && status < 400)
    return `${said}: redirects are not followed, since the token is for this origin alone: write the place it leads to as ${ownerOf(what)} url`;
  if (status === 401 || status === 403) return `${said}: check ${ownerOf(what)} tokenFile and what the token may do`;
  if (status === 404) return `${said}: check the path of ${ownerOf(what)} url`;
  if (status === 429) return `${said}: it is asked more often than it allows`;
  return undefined;
}
