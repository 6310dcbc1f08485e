import type { Readable } from 'node:stream';
import { request } from 'undici';
import { MeshError } from '../../core/errors.ts';
import { isAborted } from '../../core/lifecycle.ts';
import type { KubernetesAccess } from './config.ts';
import { fieldsOf, numberIn, textIn } from './fields.ts';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** An answer that arrived whole; `body` is undefined when it was empty. */
export interface ApiAnswer {
  readonly status: number;
  readonly body: unknown;
}

export interface SendOptions {
  readonly query?: Query;
  readonly body?: unknown;
}

export interface ClientLimits {
  /** Largest answer, bytes. */
  readonly maxBodyBytes: number;
  /** Until an answer's headers, and between two pieces of its body, ms. */
  readonly answerTimeoutMs: number;
}

export const defaultClientLimits: ClientLimits = { maxBodyBytes: 64 * 1024 * 1024, answerTimeoutMs: 15_000 };

/**
 * The requests that Isthmus makes to a Kubernetes API server: unary calls and watch streams. Broken connections are MeshError
 * REGISTRY_UNREACHABLE (retryable), bodies that are no JSON PROTOCOL_ERROR, abort is ABORTED; HTTP statuses are returned.
 */
export class KubernetesClient {
  readonly #access: KubernetesAccess;
  readonly #limits: ClientLimits;

  constructor(access: KubernetesAccess, limits: ClientLimits = defaultClientLimits) {
    this.#access = access;
    this.#limits = limits;
  }

  async send(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, options: SendOptions, signal: AbortSignal): Promise<ApiAnswer> {
    const answer = await this.#exchange(method, path, options, this.#limits.answerTimeoutMs, signal);
    const text = await this.#translate(path, signal, () => readText(answer.body, this.#limits.maxBodyBytes, path));
    if (text === '') return { status: answer.status, body: undefined };
    try {
      return { status: answer.status, body: JSON.parse(text) as unknown };
    } catch {
      // Proxies answer in HTML; then the status says more than the parser.
      if (answer.status >= 400) return { status: answer.status, body: undefined };
      throw new MeshError('PROTOCOL_ERROR', `${method} ${path}: the answer is not JSON; check that the server is a Kubernetes API server`, {
        retryable: true,
      });
    }
  }

  /** GET that must succeed. Throws what `refusal` makes of any other status. */
  async get(path: string, query: Query, signal: AbortSignal): Promise<unknown> {
    const answer = await this.send('GET', path, { query }, signal);
    if (answer.status !== 200) throw refusal('GET', path, answer);
    return answer.body;
  }

  /** A stream that the caller must read to its end or destroy; silence in it is not limited here. Throws as `get` does. */
  async open(path: string, query: Query, signal: AbortSignal): Promise<Readable> {
    const answer = await this.#exchange('GET', path, { query }, 0, signal);
    if (answer.status === 200) return answer.body;
    const text = await this.#translate(path, signal, () => readText(answer.body, 64 * 1024, path));
    throw refusal('GET', path, { status: answer.status, body: parseOrNothing(text) });
  }

  async close(): Promise<void> {
    await this.#access.close();
  }

  async #exchange(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    options: SendOptions,
    bodyTimeout: number,
    signal: AbortSignal,
  ): Promise<{ status: number; body: Readable }> {
    if (signal.aborted) throw new MeshError('ABORTED', 'request aborted', { cause: signal.reason });
    const access = await this.#access.current();
    return this.#translate(path, signal, async () => {
      const response = await request(`${access.server}${path}${queryText(options.query ?? {})}`, {
        method,
        dispatcher: access.dispatcher,
        headers: {
          ...access.headers,
          accept: 'application/json',
          'user-agent': 'isthmus',
          ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body: options.body === undefined ? null : JSON.stringify(options.body),
        headersTimeout: this.#limits.answerTimeoutMs,
        bodyTimeout,
        signal,
      });
      // Whatever the credentials were read from may have been replaced since.
      if (response.statusCode === 401) this.#access.reload();
      return { status: response.statusCode, body: response.body };
    });
  }

  async #translate<T>(path: string, signal: AbortSignal, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      // An aborted request rejects with the signal's reason, which may be anything.
      if (signal.aborted || isAborted(error)) throw new MeshError('ABORTED', 'request aborted', { cause: error });
      if (error instanceof MeshError) throw error;
      const text = error instanceof Error ? error.message : String(error);
      const message = `${path}: ${text}; check that the API server is up and reachable from here`;
      throw new MeshError('REGISTRY_UNREACHABLE', message, { retryable: true, cause: error });
    }
  }
}

/** What a non-2xx answer means. */
export function refusal(method: string, path: string, answer: ApiAnswer): MeshError {
  const said = statusMessage(answer.body);
  const message = `${method} ${path}: ${answer.status}${said === '' ? '' : `: ${said}`}`;
  if (answer.status === 410) return new MeshError('COMPACTED', message, { retryable: true });
  if (answer.status === 401) return new MeshError('REGISTRY_REFUSED', `${message}; check the kubeconfig's user`, { retryable: true });
  if (answer.status === 403) {
    return new MeshError('REGISTRY_REFUSED', `${message}; grant the rights of docs/connect-kubernetes.md`, { retryable: true });
  }
  if (answer.status === 404) return new MeshError('NOT_FOUND', message);
  if (answer.status === 409) return new MeshError('CONFLICT', message, { retryable: true });
  return new MeshError('REGISTRY_UNREACHABLE', message, { retryable: answer.status === 429 || answer.status >= 500 });
}

/** `reason` of a Status object, or ''. */
export function statusReason(body: unknown): string {
  return textIn(fieldsOf(body), 'reason');
}

/** `message` of a Status object, or ''; names resources and users, never credentials. */
export function statusMessage(body: unknown): string {
  return textIn(fieldsOf(body), 'message').slice(0, 500);
}

/** `code` of a Status object, or 0. */
export function statusCode(body: unknown): number {
  return numberIn(fieldsOf(body), 'code') ?? 0;
}

async function readText(body: Readable, maxBytes: number, path: string): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of body as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > maxBytes) {
      body.destroy();
      throw new MeshError('LIMIT_EXCEEDED', `${path}: the answer is larger than ${maxBytes} bytes; narrow connection.namespaces`);
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function queryText(query: Query): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  if (pairs.length === 0) return '';
  return `?${pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`).join('&')}`;
}

function parseOrNothing(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
