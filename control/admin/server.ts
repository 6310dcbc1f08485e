import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type FastifyInstance, fastify } from 'fastify';
import type { Service } from '../../core/lifecycle.ts';
import { Authenticator } from './authenticate.ts';
import type { AdminServerOptions } from './options.ts';
import { portTaken } from './port-taken.ts';
import { RateLimiter } from './rate-limit.ts';
import { register } from './register.ts';
import { routesOf } from './routes.ts';

const limits = {
  bodyBytes: 64 * 1024,
  connections: 512,
  /** For one address. */
  calls: { burst: 400, perSecond: 200 },
  /** Wrong or missing credentials, for one address. */
  failures: { burst: 10, perSecond: 0.2 },
  requestMs: 15_000,
};

/** The admin API: TLS, fail-closed. A route without schema or role cannot be added; a caller without role gets nothing. */
export class AdminServer implements Service {
  readonly #options: AdminServerOptions;
  #app: FastifyInstance<Server> | undefined;
  #server: Server | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(options: AdminServerOptions) {
    this.#options = options;
  }

  /** HOST:PORT that it listens on. */
  get address(): AddressInfo {
    const address = this.#server?.address();
    if (address === null || address === undefined || typeof address === 'string') throw new Error('the admin API is not listening');
    return address;
  }

  async start(): Promise<void> {
    const { tls, listen, api, clock, log } = this.#options;
    try {
      const app = this.#build();
      this.#app = app;
      const authenticator = new Authenticator(this.#options, new RateLimiter(clock, limits.failures));
      register(app, routesOf(api), { ...this.#options, authenticator, calls: new RateLimiter(clock, limits.calls) });
      await app.listen({ host: listen.host, port: listen.port });
      this.#unsubscribe = tls.subscribe(() => {
        try {
          this.#server?.setSecureContext(tls.current());
        } catch (error) {
          log.error({ error }, 'the new certificate of the admin API was refused; it goes on with the old one');
        }
      });
    } catch (error) {
      await this.dispose();
      throw portTaken(error, listen);
    }
  }

  async drain(deadlineMs: number): Promise<void> {
    const done = new AbortController();
    const forced = this.#options.clock.sleep(deadlineMs, done.signal).then(
      () => this.#server?.closeAllConnections(),
      () => undefined,
    );
    await this.#close();
    done.abort();
    await forced;
  }

  async dispose(): Promise<void> {
    this.#server?.closeAllConnections();
    await this.#close();
  }

  /** Stops accepting, ends idle connections, and waits for those at work. */
  async #close(): Promise<void> {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    await this.#app?.close();
  }

  #build(): FastifyInstance<Server> {
    const app = fastify({
      serverFactory: (handler) => {
        this.#server = createServer(
          {
            ...this.#options.tls.current(),
            requestCert: true,
            // Refused certificates are refused by the authenticator, so that the caller is told why.
            rejectUnauthorized: false,
            minVersion: 'TLSv1.2',
            handshakeTimeout: 10_000,
            maxHeaderSize: 16 * 1024,
          },
          handler,
        );
        this.#server.maxConnections = limits.connections;
        this.#server.headersTimeout = 10_000;
        this.#server.requestTimeout = limits.requestMs;
        this.#server.keepAliveTimeout = 30_000;
        this.#server.on('tlsClientError', (error) => this.#options.log.debug({ error }, 'TLS handshake with the admin API failed'));
        return this.#server;
      },
      bodyLimit: limits.bodyBytes,
      logger: false,
      forceCloseConnections: 'idle',
      ajv: { customOptions: { allErrors: true, removeAdditional: false, coerceTypes: false, useDefaults: false } },
    });
    return app as unknown as FastifyInstance<Server>;
  }
}
