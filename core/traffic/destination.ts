/** How one xDS cluster is used: a compiled DestinationRule (its traffic policy for this port and subset) and HealthCheckPolicy. */
export interface ClusterTraffic {
  readonly loadBalancer?: LoadBalancer;
  readonly connections?: ConnectionLimits;
  readonly outlier?: OutlierDetection;
  readonly healthCheck?: HealthCheck;
  /** Retries that may run at once, in percent of the requests that do, and at least `minRetries`. Absent: 20 % and 3 (Envoy's RetryBudget). */
  readonly retryBudget?: { readonly percent: number; readonly minRetries: number };
  /** TLS that this client itself speaks to endpoints outside the mesh (ServiceEntry MESH_EXTERNAL); never for mesh endpoints. */
  readonly tls?: OutsideTls;
}

export type LoadBalancer =
  | { readonly type: 'round-robin' | 'least-request' | 'random'; readonly warmup?: Warmup }
  | {
      readonly type: 'hash';
      readonly on: HashKey;
      readonly table:
        | { readonly type: 'ring'; readonly minimumRingSize: number }
        /** A prime; 65,537 unless said. */
        | { readonly type: 'maglev'; readonly tableSize: number };
    };

export type HashKey =
  | { readonly type: 'header'; readonly name: string }
  /** `ttlMs`: the proxy sets the cookie where it is absent; 0 is a session cookie; absent: never set. */
  | { readonly type: 'cookie'; readonly name: string; readonly path: string; readonly ttlMs?: number }
  | { readonly type: 'source-address' }
  | { readonly type: 'query'; readonly name: string };

/** New endpoints take their share little by little (Envoy's SlowStartConfig). */
export interface Warmup {
  readonly durationMs: number;
  /** Of the weight, to begin with; default 10. */
  readonly minPercent: number;
  /** > 0; default 1: linear. */
  readonly aggression: number;
}

/** Beyond them a request is answered 503 with flag UO. Absent: no bound. */
export interface ConnectionLimits {
  readonly maxConnections?: number;
  /** Requests that wait for a connection. */
  readonly maxPendingRequests?: number;
  /** At once. */
  readonly maxRequests?: number;
  /** At once; absent: the retry budget. */
  readonly maxRetries?: number;
  /** Of one connection; then it is closed. */
  readonly maxRequestsPerConnection?: number;
  readonly connectTimeoutMs?: number;
  readonly idleTimeoutMs?: number;
  readonly maxConnectionDurationMs?: number;
  readonly tcpKeepalive?: { readonly probes?: number; readonly timeMs?: number; readonly intervalMs?: number };
  /** HTTP/1.1 requests go upstream as HTTP/2. */
  readonly h2Upgrade?: boolean;
}

/** Envoy's, in its terms; a gateway answers for its own failures alone, never for those of what is behind it. */
export interface OutlierDetection {
  /** 5xx answers and failures in a row; 0: off. */
  readonly consecutive5xx: number;
  /** 502, 503, 504 and failures in a row; 0: off. */
  readonly consecutiveGatewayErrors: number;
  /**
   * Refused, timed out or reset before an answer, in a row. Above 0 these count here alone, and not in the two above (Envoy's
   * split_external_local_origin_errors); 0: off, and they count above.
   */
  readonly consecutiveLocalOriginFailures: number;
  /** Ejects who is below mean - factor x standard deviation of all hosts with enough requests in an interval. Absent: off. */
  readonly successRate?: { readonly minimumHosts: number; readonly requestVolume: number; readonly stdevFactor: number };
  readonly intervalMs: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionMs: number;
  /** Of the hosts, 0-100. */
  readonly maxEjectionPercent: number;
  /** Below it every host counts as healthy (panic); 0: never. */
  readonly minHealthPercent: number;
}

export interface HealthCheck {
  readonly type: 'http' | 'tcp' | 'grpc';
  /** http: what is asked, and what is a good answer (default 200). */
  readonly path: string;
  readonly host?: string;
  readonly expectedStatuses: readonly { readonly from: number; readonly to: number }[];
  /** grpc: `service` of the health protocol; may be empty. */
  readonly service: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
}

export interface OutsideTls {
  readonly mode: 'simple' | 'mutual';
  readonly sni: string;
  /** DNS or URI; any of them. Empty: `sni` itself. */
  readonly subjectAltNames: readonly string[];
  /** Files on the client's machine; absent CA: the system's. */
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly insecureSkipVerify?: boolean;
}

/** Where Debian, Ubuntu, Alpine and Envoy's own images keep what the system trusts. */
export const systemCaFile = '/etc/ssl/certs/ca-certificates.crt';
