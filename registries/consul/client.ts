import type { Clock } from '../../core/clock.ts';
import type { ConsulConnection } from '../../core/config/index.ts';
import { MeshError } from '../../core/errors.ts';
import { JsonHttp } from '../../core/http/index.ts';
import { type ConsulTuning, scopeOf } from './config.ts';
import {
  type CatalogEntry,
  type HealthEntry,
  type NodeServices,
  parseAgentSelf,
  parseCatalogService,
  parseHealth,
  parseNodeServices,
  parseServiceList,
} from './schema.ts';

/** An answer and the index to block on next: at least 1, because Consul never blocks on 0. */
export interface Indexed<T> {
  readonly value: T;
  readonly index: number;
}

/** How to block: until the index is past `index`, `waitMs` at most. */
export interface Blocking {
  readonly index: number;
  readonly waitMs: number;
}

/**
 * The reads of Consul that Isthmus makes. Plain HTTP rather than the `consul` package, whose reads drop namespaces,
 * ignore AbortSignal, wait for ever for the rest of a cut answer, and take answers of any size. Default consistency:
 * a server without a leader answers an error, never something old.
 */
export class ConsulClient {
  readonly #http: JsonHttp;
  readonly #scope: Record<string, string | undefined>;
  readonly #tuning: ConsulTuning;

  constructor(connection: ConsulConnection, tuning: ConsulTuning, clock: Clock) {
    this.#tuning = tuning;
    this.#scope = scopeOf(connection);
    this.#http = new JsonHttp({
      product: 'Consul',
      url: connection.url,
      tls: connection.tls,
      tokenFile: connection.tokenFile,
      tokenHeader: 'x-consul-token',
      indexHeader: 'x-consul-index',
      connections: tuning.maxQueries + tuning.syncConcurrency,
      clock,
    });
  }

  listServices(signal: AbortSignal, blocking?: Blocking): Promise<Indexed<Record<string, string[] | null>>> {
    return this.#get('/v1/catalog/services', parseServiceList, signal, blocking);
  }

  /** Every instance of a service with its node and checks, healthy or not; empty when there is none. */
  readService(name: string, signal: AbortSignal, blocking?: Blocking): Promise<Indexed<HealthEntry[]>> {
    return this.#get(`/v1/health/service/${encodeURIComponent(name)}`, parseHealth, signal, blocking);
  }

  async readNode(name: string, signal: AbortSignal): Promise<NodeServices> {
    return (await this.#get(`/v1/catalog/node/${encodeURIComponent(name)}`, parseNodeServices, signal)).value;
  }

  async readCatalogService(name: string, signal: AbortSignal): Promise<CatalogEntry[]> {
    return (await this.#get(`/v1/catalog/service/${encodeURIComponent(name)}`, parseCatalogService, signal)).value;
  }

  /** Name of the node whose agent the connection leads to. */
  async readOwnNode(signal: AbortSignal): Promise<string> {
    return (await this.#get('/v1/agent/self', parseAgentSelf, signal)).value.Config.NodeName;
  }

  /** Closes every connection; the next call opens new ones with the certificates as they then are. */
  reset(): Promise<void> {
    return this.#http.reset();
  }

  async #get<T>(path: string, parse: (body: unknown) => T, signal: AbortSignal, blocking?: Blocking): Promise<Indexed<T>> {
    const held = blocking === undefined || blocking.index === 0 ? 0 : blocking.waitMs;
    const query = held === 0 || blocking === undefined ? this.#scope : { ...this.#scope, index: blocking.index, wait: `${held}ms` };
    // Consul adds up to a sixteenth of the wait as jitter.
    const timeoutMs = held + held / 16 + this.#tuning.marginMs;
    const answer = await this.#http.get(path, query, { timeoutMs, signal });
    const value = parse(answer.body);
    if (answer.header('x-consul-results-filtered-by-acls') === 'true' && isEmpty(value)) throw notPermitted(path);
    return { value, index: Math.max(1, answer.index) };
  }
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** Consul answers a token without rights with 200 and nothing: that is unknown, never empty. */
function notPermitted(path: string): MeshError {
  const message = `Consul hides everything of ${path} from this token: give its policy read on service_prefix "" and node_prefix "" (or the ones wanted)`;
  return new MeshError('REGISTRY_REFUSED', message, { retryable: true });
}
