import type { Clock } from '../../core/clock.ts';
import type { ConnectionReport } from '../engine/index.ts';
import type { RequestReport } from '../forward/index.ts';
import { PlaintextCallers, type PlaintextCallersSaid } from './plaintext-callers.ts';

/** Who called one exposed port since the count began. */
export interface PlaintextCount extends PlaintextCallersSaid {
  readonly namespace: string;
  readonly service: string;
  /** The service port. */
  readonly port: number;
  readonly countingMs: number;
  /** In the clear: connections, and of HTTP requests. */
  readonly letIn: number;
  readonly refused: number;
  readonly requests: number;
  /** By mTLS, wherever that came in. */
  readonly mtls: number;
  readonly mtlsRequests: number;
}

/** A byte stream begins or ends, a request is over, or nobody was taken. */
export type CarriedBy = 'opened' | 'ended' | 'request' | 'refused';

/** By the name of its xDS cluster. */
export interface CountedPort {
  readonly namespace: string;
  readonly service: string;
  readonly port: number;
}

interface Counted {
  readonly of: CountedPort;
  readonly since: number;
  readonly callers: PlaintextCallers;
  letIn: number;
  refused: number;
  requests: number;
  mtls: number;
  mtlsRequests: number;
}

/** Of the ends of many connections an engine tells in sums, so that those of some are never heard of. */
const mostAsked = 65_536;

/** Refusals that a caller in the clear has met; whoever spoke TLS that is nobody's of the mesh is one. */
const refusals: ReadonlySet<string> = new Set(['plaintext-refused', 'foreign-tls']);

/** Counts calls of exposed ports, for whoever wants to know when plaintext can end. Memory is bounded whoever calls. */
export class PlaintextCounter {
  readonly #clock: Clock;
  readonly #ports = new Map<string, Counted>();
  /** Ports by the name of their xDS cluster: it may change, and the count goes on. */
  #named: ReadonlyMap<string, Counted> = new Map();
  /** Addresses of byte streams in the clear, which count as calling for as long as they stand. */
  readonly #standing = new Map<string, string>();
  /** Connections for requests that have been counted, the oldest first. */
  readonly #asked = new Set<string>();
  #changes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** One more at each change of any count. */
  get changes(): number {
    return this.#changes;
  }

  /** Counts of ports that stay go on. */
  keepOnly(ports: ReadonlyMap<string, CountedPort>): void {
    const named = new Map<string, Counted>();
    for (const [name, of] of ports) named.set(name, this.#ports.get(keyOf(of)) ?? this.#begin(of));
    this.#named = named;
    this.#ports.clear();
    for (const counted of named.values()) this.#ports.set(keyOf(counted.of), counted);
  }

  /** A byte stream begins; by mTLS, several may be told of at once. */
  opened(report: Pick<ConnectionReport, 'id' | 'clusterName' | 'peer' | 'end' | 'source' | 'count'>): void {
    const port = this.#portOf(report);
    if (port === undefined) return;
    this.#came(port, report, report.count);
    if (report.peer !== undefined) return;
    this.#standing.set(report.id, report.source.address);
    port.callers.stays(report.source.address);
  }

  request({ connection }: Pick<RequestReport, 'connection'>): void {
    const port = this.#portOf(connection);
    if (port === undefined) return;
    if (!this.#asked.has(connection.id)) this.#firstAsked(port, connection);
    this.#changes += 1;
    if (connection.peer !== undefined) {
      port.mtlsRequests += 1;
      return;
    }
    port.requests += 1;
    port.callers.saw(connection.source.address, this.#clock.monotonic());
  }

  /** One has ended, or was refused. */
  connection(report: ConnectionReport): void {
    const staying = this.#standing.get(report.id);
    this.#standing.delete(report.id);
    const asked = this.#asked.delete(report.id);
    const port = this.#portOf(report);
    if (port === undefined) return;
    const now = this.#clock.monotonic();
    if (staying !== undefined) {
      this.#changes += 1;
      port.callers.goes(staying, now);
    }
    // It was counted when it began.
    if (asked || report.outcome === 'forward') return;
    if (report.outcome === 'deliver') {
      this.#came(port, report);
    } else if (report.peer === undefined && refusals.has(report.reason)) {
      const { count = 1 } = report;
      this.#changes += 1;
      port.refused += count;
      port.callers.refused(report.source.address, now, count);
    }
  }

  /** The same of what another proxy carries, which tells of HTTP by request alone: each counts as a connection too. */
  told(of: { readonly clusterName: string; readonly address: string; readonly byMtls: boolean }, what: CarriedBy): void {
    const port = this.#named.get(of.clusterName);
    if (port === undefined) return;
    this.#changes += 1;
    const now = this.#clock.monotonic();
    if (of.byMtls) {
      if (what === 'opened' || what === 'request') port.mtls += 1;
      if (what === 'request') port.mtlsRequests += 1;
      return;
    }
    if (what === 'opened') {
      port.letIn += 1;
      port.callers.letIn(of.address, now);
      port.callers.stays(of.address);
    } else if (what === 'ended') port.callers.goes(of.address, now);
    else if (what === 'request') {
      port.letIn += 1;
      port.requests += 1;
      port.callers.letIn(of.address, now);
    } else {
      port.refused += 1;
      port.callers.refused(of.address, now);
    }
  }

  report(): readonly PlaintextCount[] {
    const now = this.#clock.monotonic();
    return [...this.#ports.values()].map(({ of, since, callers, letIn, refused, requests, mtls, mtlsRequests }) => ({
      ...of,
      countingMs: Math.round(now - since),
      ...{ letIn, refused, requests, mtls, mtlsRequests },
      ...callers.said(now),
    }));
  }

  #firstAsked(port: Counted, connection: Pick<ConnectionReport, 'id' | 'peer' | 'source'>): void {
    this.#came(port, connection);
    this.#asked.add(connection.id);
    if (this.#asked.size <= mostAsked) return;
    const [oldest] = this.#asked;
    if (oldest !== undefined) this.#asked.delete(oldest);
  }

  #came(port: Counted, { peer, source }: Pick<ConnectionReport, 'peer' | 'source'>, count = 1): void {
    this.#changes += 1;
    if (peer !== undefined) {
      port.mtls += count;
      return;
    }
    port.letIn += 1;
    port.callers.letIn(source.address, this.#clock.monotonic());
  }

  #portOf({ clusterName, end }: Pick<ConnectionReport, 'clusterName' | 'end'>): Counted | undefined {
    return end === undefined ? undefined : this.#named.get(clusterName);
  }

  #begin(of: CountedPort): Counted {
    const counts = { letIn: 0, refused: 0, requests: 0, mtls: 0, mtlsRequests: 0 };
    return { of, since: this.#clock.monotonic(), callers: new PlaintextCallers(), ...counts };
  }
}

function keyOf({ namespace, service, port }: CountedPort): string {
  return `${namespace}/${service}:${port}`;
}
