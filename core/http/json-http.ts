import { readFile } from 'node:fs/promises';
import { type Dispatcher, Pool } from 'undici';
import type { Clock } from '../clock.ts';
import type { TlsFiles } from '../config/index.ts';
import { MeshError } from '../errors.ts';
import { childController } from '../lifecycle.ts';
import { describeStatus, describeTransport } from './describe-errors.ts';

export interface JsonHttpOptions {
  /** What people call the server in messages: `Consul`. */
  readonly product: string;
  /** http(s)://HOST:PORT */
  readonly url: string;
  readonly tls?: TlsFiles | undefined;
  /** Read anew for every request, so that a rotated token needs no restart. */
  readonly tokenFile?: string | undefined;
  readonly tokenHeader: string;
  readonly indexHeader: string;
  readonly connections: number;
  readonly clock: Clock;
  /** Default 64 MiB; a longer answer fails with LIMIT_EXCEEDED. */
  readonly maxBodyBytes?: number;
}

/** A list stands for the key several times; undefined and '' are left out. */
export type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>;

export interface JsonCall {
  /** From sending to the last byte. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface JsonAnswer {
  readonly body: unknown;
  /** The registry's index header; 0 when it is missing or no whole number ≥ 0. */
  readonly index: number;
  /** One of its headers, by lower-case name. */
  header(name: string): string | undefined;
}

/**
 * A small HTTP client for registries that speak JSON with an index header: bounded connections, sizes and times, tokens and
 * certificates from files, every failure one MeshError. Nothing survives `close`.
 */
export class JsonHttp {
  readonly #options: JsonHttpOptions;
  readonly #maxBodyBytes: number;
  #pool: Promise<Pool> | undefined;

  constructor(options: JsonHttpOptions) {
    this.#options = options;
    this.#maxBodyBytes = options.maxBodyBytes ?? 64 * 1024 * 1024;
  }

  /** Rejects with REGISTRY_UNREACHABLE, REGISTRY_REFUSED, NOT_FOUND, PROTOCOL_ERROR, LIMIT_EXCEEDED, DEADLINE_EXCEEDED or ABORTED. */
  async get(path: string, query: Query, call: JsonCall): Promise<JsonAnswer> {
    return this.#within(call, path, async (signal) => {
      const response = await this.#send(path, query, signal);
      const text = await this.#readText(response.body, path);
      if (response.statusCode !== 200) throw describeStatus(this.#options, path, response.statusCode, text);
      const header = (name: string) => [response.headers[name]].flat()[0];
      return { body: this.#parse(text, path), index: parseIndex(header(this.#options.indexHeader)), header };
    });
  }

  /** The body of an endless answer, as it comes; `timeoutMs` is for the headers alone. The caller reads it to its end or aborts `signal`. */
  async stream(path: string, query: Query, call: JsonCall): Promise<AsyncIterable<Buffer>> {
    // The headers' deadline must not outlive them, so the request itself hangs on the caller's signal.
    const { controller, release } = childController(call.signal);
    try {
      return await this.#within({ ...call, signal: controller.signal }, path, async (late) => {
        const abort = () => controller.abort(late.reason);
        late.addEventListener('abort', abort, { once: true });
        const response = await this.#send(path, query, controller.signal);
        late.removeEventListener('abort', abort);
        if (response.statusCode !== 200) {
          throw describeStatus(this.#options, path, response.statusCode, await this.#readText(response.body, path));
        }
        return releasing(response.body, release);
      });
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Closes every connection now; the next call opens new ones, with what the certificate files then hold. */
  async reset(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await (await pool?.catch(() => undefined))?.destroy();
  }

  async #send(path: string, query: Query, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const headers = await this.#headers();
    this.#pool ??= this.#connect();
    const opening = this.#pool;
    const pool = await opening.catch((error: unknown) => {
      if (this.#pool === opening) this.#pool = undefined;
      throw error;
    });
    const search = formatQuery(query);
    const base = new URL(this.#options.url).pathname.replace(/\/$/, '');
    return pool.request({ path: `${base}${path}${search}`, method: 'GET', headers, signal });
  }

  async #headers(): Promise<Record<string, string>> {
    const { tokenFile, tokenHeader, product } = this.#options;
    if (tokenFile === undefined) return { accept: 'application/json' };
    try {
      return { accept: 'application/json', [tokenHeader]: (await readFile(tokenFile, 'utf8')).trim() };
    } catch (error) {
      throw new MeshError(
        'REGISTRY_REFUSED',
        `${product}: token file ${tokenFile} cannot be read: check connection.tokenFile and its mode`,
        {
          cause: error,
          retryable: true,
        },
      );
    }
  }

  async #connect(): Promise<Pool> {
    const { tls, url, connections, product } = this.#options;
    const read = async (file: string | undefined) => (file === undefined ? undefined : await readFile(file));
    try {
      const [ca, cert, key] = await Promise.all([read(tls?.caFile), read(tls?.certFile), read(tls?.keyFile)]);
      const connect = {
        ...(ca && { ca }),
        ...(cert && { cert }),
        ...(key && { key }),
        ...(tls?.serverName && { servername: tls.serverName }),
      };
      // Times are bounded per call, by the injected clock.
      return new Pool(new URL(url).origin, { connections, connect: { ...connect, timeout: 10_000 }, headersTimeout: 0, bodyTimeout: 0 });
    } catch (error) {
      const message = `${product}: TLS files cannot be read: check connection.tls (${(error as Error).message})`;
      throw new MeshError('REGISTRY_REFUSED', message, { cause: error, retryable: true });
    }
  }

  async #readText(body: Dispatcher.ResponseData['body'], path: string): Promise<string> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > this.#maxBodyBytes) {
        throw new MeshError('LIMIT_EXCEEDED', `${this.#options.product}: the answer to ${path} is longer than ${this.#maxBodyBytes} bytes`);
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  #parse(text: string, path: string): unknown {
    try {
      return JSON.parse(text);
    } catch (error) {
      const message = `${this.#options.product}: the answer to ${path} is no JSON: check that connection.url is its API`;
      throw new MeshError('PROTOCOL_ERROR', message, { cause: error, retryable: true });
    }
  }

  async #within<T>(call: JsonCall, path: string, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { controller, release } = childController(call.signal);
    const timer = new AbortController();
    let late = false;
    const expire = () => {
      late = true;
      controller.abort();
    };
    this.#options.clock.sleep(call.timeoutMs, timer.signal).then(expire, () => {});
    try {
      return await run(controller.signal);
    } catch (error) {
      if (call.signal.aborted) throw new MeshError('ABORTED', `${this.#options.product}: request aborted`, { cause: error });
      if (error instanceof MeshError) throw error;
      throw describeTransport(this.#options, path, late ? call.timeoutMs : undefined, error);
    } finally {
      timer.abort();
      release();
    }
  }
}

async function* releasing(body: AsyncIterable<Buffer>, release: () => void): AsyncIterable<Buffer> {
  try {
    yield* body;
  } finally {
    release();
  }
}

function formatQuery(query: Query): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    for (const one of [value].flat()) if (one !== undefined && one !== '') search.append(key, String(one));
  }
  return search.size === 0 ? '' : `?${search}`;
}

function parseIndex(header: string | undefined): number {
  return header !== undefined && /^[0-9]{1,15}$/.test(header) ? Number(header) : 0;
}
