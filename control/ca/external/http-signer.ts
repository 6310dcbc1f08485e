import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { Clock } from '../../../core/clock.ts';
import { MeshError, toMeshError } from '../../../core/errors.ts';
import { exponentialBackoff } from '../../../core/lifecycle.ts';
import type { Log } from '../../../core/log.ts';
import { csrToPem, pemBlocks } from '../../../core/pki/index.ts';

const answerMs = 10_000;
const mostBytes = 65_536;

export interface HttpSignerOptions {
  /** https:// alone. */
  readonly url: string;
  /** PEM of what the server's certificate must chain to; absent: what the system trusts. */
  readonly caFile?: string;
  /** Its content is sent as a bearer token; read anew for each request, so that it may rotate. */
  readonly tokenFile?: string;
  readonly cluster: string;
  readonly trustDomain: string;
  readonly ttlMs: number;
  readonly clock: Clock;
  /** [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

/**
 * A signer of intermediates that is reached over HTTPS: `POST URL` with `{"trustDomain", "cluster", "csr", "ttlSeconds"}` (the PKCS#10 in PEM), answered with
 * 200 and `{"chain": "PEM"}`: the signing certificate first, then the root over it. 202: it is not decided yet, ask again. What comes back is for
 * `installIntermediate` to judge. Asked again with growing pauses, one request at a time.
 */
export class HttpSigner {
  readonly #options: HttpSignerOptions;
  readonly #backoff: { next(): number; reset(): void };
  #notBefore = 0;

  constructor(options: HttpSignerOptions) {
    this.#options = options;
    this.#backoff = exponentialBackoff({ baseMs: 1_000, maxMs: 60_000, random: options.random });
  }

  /** Undefined: not now; why is logged. Never rejects. */
  async sign(csr: Uint8Array): Promise<{ readonly certificate: Buffer; readonly roots: readonly Buffer[] } | undefined> {
    const { clock, log, url } = this.#options;
    if (clock.monotonic() < this.#notBefore) return undefined;
    try {
      const [certificate, ...roots] = pemBlocks(await this.#ask(csr), 'CERTIFICATE');
      if (certificate === undefined || roots.length === 0 || roots.length > 4)
        throw new MeshError('PROTOCOL_ERROR', 'the answer is not a signing certificate and the root over it');
      return { certificate, roots };
    } catch (error) {
      log.warn({ url, error: toMeshError(error).message }, 'the external signer has not signed; it is asked again');
      return undefined;
    } finally {
      this.#notBefore = clock.monotonic() + this.#backoff.next();
    }
  }

  /** What it gave holds. */
  accepted(): void {
    this.#backoff.reset();
    this.#notBefore = 0;
  }

  async #ask(csr: Uint8Array): Promise<string> {
    const { url, caFile, tokenFile, cluster, trustDomain, ttlMs } = this.#options;
    const body = JSON.stringify({ trustDomain, cluster, csr: csrToPem(csr), ttlSeconds: Math.floor(ttlMs / 1_000) });
    const token = tokenFile === undefined ? undefined : (await readFile(tokenFile, 'utf8')).trim();
    const ca = caFile === undefined ? {} : { ca: await readFile(caFile) };
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json',
      'content-length': Buffer.byteLength(body),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    // Redirects are not followed: the token is for this server alone.
    const text = await new Promise<string>((resolve, reject) => {
      const timer = AbortSignal.timeout(answerMs);
      const sent = request(url, { method: 'POST', headers, ...ca, agent: false, minVersion: 'TLSv1.2', signal: timer }, (response) => {
        readAll(response).then(resolve, reject);
      });
      sent.on('error', reject);
      sent.end(body);
    });
    const { chain } = JSON.parse(text) as { readonly chain?: unknown };
    if (typeof chain !== 'string') throw new MeshError('PROTOCOL_ERROR', 'the answer holds no chain');
    return chain;
  }
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > mostBytes) {
      response.destroy();
      throw new MeshError('LIMIT_EXCEEDED', `the answer is longer than ${mostBytes} bytes`);
    }
    chunks.push(chunk);
  }
  if (response.statusCode !== 200) throw new MeshError('PROTOCOL_ERROR', `it answered ${response.statusCode}`, { retryable: true });
  return Buffer.concat(chunks).toString('utf8');
}
