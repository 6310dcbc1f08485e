import type { AuthzRule } from '../../core/authz/index.ts';
import type { Clock } from '../../core/clock.ts';
import type { Routing } from '../../core/traffic/index.ts';
import type { HttpLimits } from '../context.ts';
import type { Deadlines } from '../deadlines.ts';
import type { Balancer, ClusterTable, DeliveredConnection, EndpointAttempt, ResponseFlag } from '../engine/index.ts';
import type { Router } from '../routing/index.ts';
import type { EndpointState } from '../state/index.ts';
import type { Budgets } from './budgets.ts';
import type { LocalReply } from './local-reply.ts';
import type { RequestHead } from './message.ts';
import type { Upstream } from './upstream.ts';

/** What requests are forwarded by; looked up anew for each attempt. */
export interface ForwardTables {
  readonly clusters: ReadonlyMap<string, ClusterTable>;
  readonly routings: ReadonlyMap<string, Routing>;
  readonly ejected: ReadonlySet<string>;
  /** Our own SPIFFE id, for x-forwarded-client-cert. */
  readonly spiffeId: string;
}

export interface ForwardParts {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly limits: HttpLimits;
  readonly balancer: Balancer;
  readonly upstream: Upstream;
  readonly router: Router;
  readonly budgets: Budgets;
  readonly deadlines: Deadlines;
  readonly tables: () => ForwardTables;
  /** No exchange after this one on its connection. */
  readonly draining: () => boolean;
  /** By the policy of now, which may have changed since the connection was admitted. `headers`: with what this hop says. */
  readonly judge: (connection: DeliveredConnection, request: RequestHead, headers: readonly string[]) => Judged;
  /** Of the rules that this connection's requests go by now; it may have been admitted before there were any. */
  readonly routingName: (connection: DeliveredConnection) => string | undefined;
  readonly onAttempt: (attempt: EndpointAttempt) => void;
  /** A copy of a request was sent to a mirror. */
  readonly onCopy: (clusterName: string) => void;
  /** None was, or not the whole of it: too many are on their way, or the mirror is slower than the request. */
  readonly onCopyDropped: (clusterName: string) => void;
  readonly onRequest: (report: RequestReport) => void;
}

/** What the end of mTLS makes of a request. */
export interface Judged {
  /** The answer in place of the application's. Absent: it goes on. */
  readonly refused?: LocalReply;
  /** As it goes on; absent: as it came. */
  readonly path?: string;
  readonly headers?: readonly string[];
  /** Which rule decided; absent: none did. */
  readonly ruled?: AuthzRule | undefined;
  /** Names of the audit rules that match; absent: none. */
  readonly audited?: readonly string[];
}

/** One exchange that has ended, however. */
export interface RequestReport {
  readonly connection: DeliveredConnection;
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly protocol: string;
  readonly userAgent: string;
  /** 0: the caller went away before an answer. */
  readonly status: number;
  /** Of gRPC calls alone; empty: none was said. */
  readonly grpcStatus?: string;
  readonly flags: readonly ResponseFlag[];
  /** As Envoy's %RESPONSE_CODE_DETAILS%: `via_upstream`, or why we answered ourselves. */
  readonly detail: string;
  /** At the end of mTLS: names of the rules of authorisation that decided, and that marked it. */
  readonly authz?: Pick<Judged, 'ruled' | 'audited'>;
  /** The rule that said so; empty: none. */
  readonly routeName: string;
  /** Where it was to go; empty: it was answered here. */
  readonly clusterName: string;
  readonly upstream?: EndpointState;
  readonly attempts: number;
  /** Of bodies. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Unix ms. */
  readonly startedAt: number;
  readonly durationMs: number;
}
