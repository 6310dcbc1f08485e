import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import type { FederationServerSpec } from '../../core/config/index.ts';
import { MeshError, toMeshError } from '../../core/errors.ts';
import { type SvidSource, svidKeyPem } from '../../core/identity/index.ts';
import type { Log } from '../../core/log.ts';
import type { PublishedBundle } from './own-bundle.ts';

export interface BundleServerOptions {
  readonly spec: FederationServerSpec;
  readonly listen: { readonly host: string; readonly port: number };
  /** The control plane's own; undefined until it has one. For profile https_spiffe. */
  readonly svid: () => SvidSource | undefined;
  readonly bundle: () => Promise<PublishedBundle>;
  readonly log: Log;
}

const limits = { connections: 256, perSocket: 16, headerBytes: 8_192, timeoutMs: 5_000, filesMs: 60_000 };

/** The bundle endpoint (SPIFFE Federation §5): one document, for whoever asks, as all of it is public. Nothing here changes anything. */
export class BundleServer {
  readonly #options: BundleServerOptions;
  readonly #server: Server;
  #presented: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: BundleServerOptions) {
    this.#options = options;
    const { headerBytes, timeoutMs, connections, perSocket } = limits;
    this.#server = createServer({
      minVersion: 'TLSv1.2',
      maxHeaderSize: headerBytes,
      headersTimeout: timeoutMs,
      requestTimeout: timeoutMs,
      handshakeTimeout: timeoutMs,
      keepAliveTimeout: timeoutMs,
      connectionsCheckingInterval: 1_000,
    });
    this.#server.maxConnections = connections;
    this.#server.maxRequestsPerSocket = perSocket;
    this.#server.on('request', (request, response) => void this.#answer(request, response));
    this.#server.on('tlsClientError', () => undefined);
  }

  get address(): AddressInfo {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the bundle endpoint is not listening');
    return address;
  }

  /** Rejects with PORT_TAKEN, or CONFIG_INVALID for files that are no certificate. */
  async start(): Promise<void> {
    await this.#present();
    const { host, port } = this.#options.listen;
    await new Promise<void>((resolve, reject) => {
      const fail = (cause: Error) =>
        reject(new MeshError('PORT_TAKEN', `cannot listen on ${host}:${port} for bundles: ${cause.message}`, { cause }));
      this.#server.once('error', fail);
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', fail);
        this.#server.on('error', () => undefined);
        resolve();
      });
    });
    this.#timer = setInterval(() => this.refresh(), limits.filesMs);
    this.#timer.unref();
  }

  /** The certificate that is presented may have changed; a new one that cannot be used leaves the last one. */
  refresh(): void {
    this.#present().catch((error: unknown) => this.#options.log.error({ error }, 'the bundle endpoint keeps its last certificate'));
  }

  async dispose(): Promise<void> {
    clearInterval(this.#timer);
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #present(): Promise<void> {
    const context = await this.#context();
    const id = JSON.stringify([context.cert, context.key === undefined]);
    if (context.cert === undefined || id === this.#presented) return;
    try {
      this.#server.setSecureContext({ ...context, minVersion: 'TLSv1.2' });
    } catch (error) {
      throw toMeshError(error, 'CONFIG_INVALID', 'certificate of the bundle endpoint');
    }
    this.#presented = id;
  }

  async #context(): Promise<Pick<SecureContextOptions, 'cert' | 'key'>> {
    const { spec, svid } = this.#options;
    if (spec.profile === 'https_spiffe') {
      const current = svid()?.current();
      return current === undefined ? {} : { cert: current.chainPem, key: svidKeyPem(current) };
    }
    try {
      const [cert, key] = await Promise.all([readFile(spec.certFile ?? '', 'utf8'), readFile(spec.keyFile ?? '', 'utf8')]);
      return { cert, key };
    } catch (error) {
      throw toMeshError(error, 'CONFIG_INVALID', 'certificate of the bundle endpoint');
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const end = (status: number, headers: Record<string, string>, body = '') => {
      response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers });
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    // A body is for nobody here; whoever sends one is not read.
    if (request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined)
      response.shouldKeepAlive = false;
    if (request.url !== '/') return end(404, {});
    if (request.method !== 'GET' && request.method !== 'HEAD') return end(405, { allow: 'GET, HEAD' });
    try {
      const { document, etag } = await this.#options.bundle();
      const headers = { etag, 'cache-control': 'no-cache' };
      if (request.headers['if-none-match'] === etag) return end(304, headers);
      end(200, { ...headers, 'content-type': 'application/json' }, document);
    } catch (error) {
      this.#options.log.error({ error }, 'the bundle could not be given');
      end(503, { 'retry-after': '5' });
    }
  }
}
