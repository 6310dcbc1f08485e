import { EventEmitter } from 'node:events';
import { readFile } from 'node:fs/promises';
import Consul from 'consul';
import type { ConsulConnection } from '../../core/config/index.ts';
import { MeshError } from '../../core/errors.ts';
import { describeStatus, describeTransport } from '../../core/http/index.ts';
import { makeAgent, scopeOf } from './config.ts';
import type { ConsulRecord } from './plan-records.ts';

/** The request hook of papi, on which the `consul` package is built; its types do not mention it. */
interface RequestHooks {
  _ext(event: 'onCreate', hook: (request: { opts: { query: Record<string, string> } }, next: () => void) => void): void;
}

type Call = { token?: string; dc?: string; partition?: string; timeout: number; ctx: EventEmitter };

/**
 * The catalog writes, by the `consul` package: it knows the shapes of registrations. What it lacks is added here: the
 * namespace, on every request; AbortSignal, through the package's cancel events; a time for every call; our errors.
 * Made for one round of writes; `close` it.
 */
export class ConsulWriteClient {
  readonly #connection: ConsulConnection;
  readonly #consul: Consul;
  readonly #timeoutMs: number;

  private constructor(connection: ConsulConnection, consul: Consul, timeoutMs: number) {
    this.#connection = connection;
    this.#consul = consul;
    this.#timeoutMs = timeoutMs;
  }

  static async open(connection: ConsulConnection, timeoutMs: number): Promise<ConsulWriteClient> {
    const url = new URL(connection.url);
    const secure = url.protocol === 'https:';
    const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
    const agent = await makeAgent(connection);
    const consul = new Consul({ host: url.hostname, port, secure, agent });
    const namespace = scopeOf(connection).ns;
    if (namespace !== undefined) {
      (consul as unknown as RequestHooks)._ext('onCreate', (request, next) => {
        request.opts.query = { ...request.opts.query, ns: namespace };
        next();
      });
    }
    return new ConsulWriteClient(connection, consul, timeoutMs);
  }

  /** Creates or replaces one instance on the external node, and the node with it. */
  async register(node: string, nodeMeta: Record<string, string>, record: ConsulRecord, signal: AbortSignal): Promise<void> {
    const { id, service, address, port, tags, meta } = record;
    // The node's own address is never used, as every instance has one; it only must not change with each instance.
    const registration = { node, address: '127.0.0.1', nodemeta: nodeMeta };
    const instance = { id, service, address, port, tags: [...tags], meta: { ...meta } };
    await this.#call('/v1/catalog/register', signal, (call) =>
      this.#consul.catalog.register({ ...registration, service: instance, ...call }),
    );
  }

  /** Removes one instance, or the whole node when `id` is absent. */
  async deregister(node: string, id: string | undefined, signal: AbortSignal): Promise<void> {
    const target = id === undefined ? { node } : { node, serviceid: id };
    await this.#call('/v1/catalog/deregister', signal, (call) => this.#consul.catalog.deregister({ ...target, ...call }));
  }

  /** Of one service of the agent that the connection leads to; the agent tells the catalog. */
  async maintain(id: string, enable: boolean, reason: string, signal: AbortSignal): Promise<void> {
    await this.#call('/v1/agent/service/maintenance', signal, (call) =>
      this.#consul.agent.service.maintenance({ id, enable, ...(enable ? { reason } : {}), ...call }),
    );
  }

  /** A check that fails, of one instance on a node without an agent; the node itself stays as it is. */
  async failCheck(
    node: string,
    address: string,
    check: { id: string; service: string; notes: string },
    signal: AbortSignal,
  ): Promise<void> {
    const made = { checkid: check.id, name: 'Taken over', notes: check.notes, serviceid: check.service, status: 'critical' as const };
    await this.#call('/v1/catalog/register', signal, (call) =>
      this.#consul.catalog.register({ node, address, skipnodeupdate: true, check: made, ...call }),
    );
  }

  async removeCheck(node: string, checkid: string, signal: AbortSignal): Promise<void> {
    await this.#call('/v1/catalog/deregister', signal, (call) => this.#consul.catalog.deregister({ node, checkid, ...call }));
  }

  close(): void {
    this.#consul.destroy();
  }

  async #call(path: string, signal: AbortSignal, run: (call: Call) => Promise<unknown>): Promise<void> {
    if (signal.aborted) throw new MeshError('ABORTED', 'Consul: write aborted');
    const { tokenFile, url } = this.#connection;
    const where = { product: 'Consul', url };
    const ctx = new EventEmitter();
    const abort = () => ctx.emit('cancel');
    signal.addEventListener('abort', abort, { once: true });
    try {
      const { dc, partition } = scopeOf(this.#connection);
      const token = tokenFile === undefined ? undefined : (await readFile(tokenFile, 'utf8')).trim();
      await run({ ...(token && { token }), ...(dc && { dc }), ...(partition && { partition }), timeout: this.#timeoutMs, ctx });
    } catch (error) {
      if (signal.aborted) throw new MeshError('ABORTED', 'Consul: write aborted', { cause: error });
      const { statusCode, isTimeout, response } = error as { statusCode?: number; isTimeout?: boolean; response?: { body?: unknown } };
      // The package's errors carry the request with its token, so they are not passed on as a cause.
      const cause = new Error(error instanceof Error ? error.message : String(error));
      if (statusCode !== undefined) throw describeStatus(where, path, statusCode, String(response?.body ?? ''));
      throw describeTransport(where, path, isTimeout === true ? this.#timeoutMs : undefined, cause);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }
}
