import type { Clock } from '../../core/clock.ts';
import type { NomadConnection } from '../../core/config/index.ts';
import { JsonHttp, type Query } from '../../core/http/index.ts';
import type { NomadTuning } from './config.ts';
import { readLines } from './read-lines.ts';
import {
  type Allocation,
  type CheckResults,
  type NomadEvent,
  type NomadNode,
  parseAllocations,
  parseChecks,
  parseEventLine,
  parseNodes,
  parseRegistrations,
  parseServiceList,
  type Registration,
} from './schema.ts';

export interface Indexed<T> {
  readonly value: T;
  /** At least 1: Nomad never blocks on 0. */
  readonly index: number;
}

/** How to block: until the index is past `index`. */
export interface Blocking {
  readonly index: number;
}

export interface ServiceName {
  readonly namespace: string;
  readonly name: string;
}

/** What the event stream says at once; empty: a heartbeat. */
export type EventBatch = readonly NomadEvent[];

/** The reads of Nomad that Isthmus makes, all of which `policy = "read"` on namespaces and nodes allows. Default consistency. */
export class NomadClient {
  readonly #http: JsonHttp;
  readonly #tuning: NomadTuning;
  readonly #region: string | undefined;
  readonly #namespace: string;

  constructor(connection: NomadConnection, tuning: NomadTuning, clock: Clock) {
    this.#tuning = tuning;
    this.#region = connection.region;
    this.#namespace = connection.namespace;
    this.#http = new JsonHttp({
      product: 'Nomad',
      url: connection.url,
      tls: connection.tls,
      tokenFile: connection.tokenFile,
      tokenHeader: 'x-nomad-token',
      indexHeader: 'x-nomad-index',
      connections: tuning.concurrency + 8,
      clock,
    });
  }

  async listServices(signal: AbortSignal, blocking?: Blocking): Promise<Indexed<ServiceName[]>> {
    const { value, index } = await this.#get('/v1/services', { namespace: this.#namespace }, parseServiceList, signal, blocking);
    const names = (value ?? []).flatMap((n) => (n.Services ?? []).map((s) => ({ namespace: n.Namespace, name: s.ServiceName })));
    return { value: names, index };
  }

  async readService({ namespace, name }: ServiceName, signal: AbortSignal): Promise<Indexed<Registration[]>> {
    const { value, index } = await this.#get(`/v1/service/${encodeURIComponent(name)}`, { namespace }, parseRegistrations, signal);
    return { value: value ?? [], index };
  }

  async listAllocations(signal: AbortSignal, blocking?: Blocking): Promise<Indexed<Allocation[]>> {
    const query = { namespace: this.#namespace, task_states: 'false' };
    const { value, index } = await this.#get('/v1/allocations', query, parseAllocations, signal, blocking);
    return { value: value ?? [], index };
  }

  async listNodes(signal: AbortSignal, blocking?: Blocking): Promise<Indexed<NomadNode[]>> {
    const { value, index } = await this.#get('/v1/nodes', {}, parseNodes, signal, blocking);
    return { value: value ?? [], index };
  }

  /** Newest results of the allocation's native checks, which its node keeps; empty while none has run, or it has none. */
  async readChecks(allocation: string, signal: AbortSignal): Promise<NonNullable<CheckResults>> {
    const timeoutMs = Math.min(this.#tuning.marginMs, 2_000);
    const path = `/v1/client/allocation/${encodeURIComponent(allocation)}/checks`;
    const answer = await this.#http.get(path, { region: this.#region }, { timeoutMs, signal });
    return parseChecks(answer.body) ?? {};
  }

  /**
   * Events from `index` on, or from Nomad's oldest after it, without a word, when its buffer no longer reaches back so far: whoever
   * resumes must read the lists as well. The first batch comes at once.
   */
  async *events(topics: readonly string[], index: number, signal: AbortSignal): AsyncIterable<EventBatch> {
    const query = { topic: topics, namespace: this.#namespace, region: this.#region, index: index === 0 ? undefined : index };
    const body = await this.#http.stream('/v1/event/stream', query, { timeoutMs: this.#tuning.marginMs, signal });
    for await (const line of readLines(body)) yield parseEventLine(line).Events ?? [];
  }

  /** Closes every connection; the next call opens new ones with the certificates as they then are. */
  reset(): Promise<void> {
    return this.#http.reset();
  }

  async #get<T>(path: string, query: Query, parse: (body: unknown) => T, signal: AbortSignal, blocking?: Blocking): Promise<Indexed<T>> {
    const held = blocking === undefined || blocking.index === 0 ? 0 : this.#tuning.waitMs;
    const wait = held === 0 ? {} : { index: blocking?.index, wait: `${held}ms` };
    // Nomad adds up to a sixteenth of the wait as jitter.
    const timeoutMs = held + held / 16 + this.#tuning.marginMs;
    const answer = await this.#http.get(path, { ...query, ...wait, region: this.#region }, { timeoutMs, signal });
    return { value: parse(answer.body), index: Math.max(1, answer.index) };
  }
}
