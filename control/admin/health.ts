import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type FastifyInstance, fastify } from 'fastify';
import type { Registry } from 'prom-client';
import type { Service } from '../../core/lifecycle.ts';
import { portTaken } from './port-taken.ts';

export interface HealthCheck {
  readonly name: string;
  readonly ok: boolean;
  readonly reason?: string;
}

export interface HealthServerOptions {
  /** Port 0: any free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** All ok: ready to serve. Asked at every call; must be cheap. */
  readonly readiness: () => readonly HealthCheck[];
  readonly metrics: Registry;
  /** Brings gauges to what is true now; called at each scrape. */
  readonly beforeScrape: () => void | Promise<void>;
}

/**
 * `/healthz` (the process answers), `/readyz` (every check holds, 503 otherwise, with the checks) and `/metrics`, in plaintext
 * for probes: no names of services, no secrets, nothing that changes anything.
 */
export class HealthServer implements Service {
  readonly #options: HealthServerOptions;
  readonly #app: FastifyInstance;
  #draining = false;

  constructor(options: HealthServerOptions) {
    this.#options = options;
    this.#app = fastify({ logger: false, bodyLimit: 1024, requestTimeout: 5000, connectionTimeout: 10_000, forceCloseConnections: true });
  }

  get address(): AddressInfo {
    const address = (this.#app.server as Server).address();
    if (address === null || typeof address === 'string') throw new Error('the health listener is not listening');
    return address;
  }

  async start(): Promise<void> {
    const { listen, readiness, metrics, beforeScrape } = this.#options;
    this.#app.server.maxConnections = 128;
    this.#app.get('/healthz', async (_request, reply) => reply.type('text/plain').send('ok\n'));
    this.#app.get('/readyz', async (_request, reply) => {
      const checks = [...readiness(), ...(this.#draining ? [{ name: 'drain', ok: false, reason: 'shutting down' }] : [])];
      const ready = checks.every((c) => c.ok);
      return reply.status(ready ? 200 : 503).send({ ready, checks });
    });
    this.#app.get('/metrics', async (_request, reply) => {
      await beforeScrape();
      return reply.type(metrics.contentType).send(await metrics.metrics());
    });
    try {
      await this.#app.listen({ host: listen.host, port: listen.port });
    } catch (error) {
      await this.dispose();
      throw portTaken(error, listen);
    }
  }

  /** Says not ready and goes on answering, so that probes see it; `dispose` ends it. */
  async drain(): Promise<void> {
    this.#draining = true;
  }

  async dispose(): Promise<void> {
    await this.#app.close();
  }
}
