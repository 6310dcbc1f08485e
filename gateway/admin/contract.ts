import type { ProxyStatus } from '../envoy/describe-proxy.ts';
import type { TunnelStatus } from '../tunnel/contract.ts';

/** GET /v1/gateway. Holds no secret. */
export interface GatewayStatus {
  readonly instance: string;
  readonly version: string;
  /** Serves new connections, from the control plane's data or from disk. */
  readonly ready: boolean;
  /** Why not, or what holds, for people. */
  readonly reason: string;
  readonly network: string;
  readonly kind: 'gateway' | 'ingress';
  /** Absent of an ingress gateway. */
  readonly listen?: ListenAddress;
  /** Absent before the first attestation. */
  readonly identity?: {
    readonly spiffeId: string;
    readonly cluster: string;
    /** RFC 3339. */
    readonly notAfter: string;
    readonly state: 'valid' | 'renewing' | 'expired';
    readonly lastError?: string;
  };
  readonly registration: { readonly state: string; readonly generation: number; readonly lastError?: string } | undefined;
  readonly data: {
    readonly from: 'control-plane' | 'disk' | 'nothing';
    /** Since a control plane last said that this is all there is, over restarts too. */
    readonly ageMs?: number;
    readonly controlPlane: string;
    readonly connected: boolean;
    /** Streams begun since the start: one that breaks or stands still is replaced. */
    readonly streams: number;
    /** Why the last stream ended; absent while one stands. */
    readonly lastError?: string;
    readonly rejected: readonly { readonly type: string; readonly name: string; readonly reason: string }[];
  };
  /** What carries the traffic. */
  readonly proxy: ProxyStatus;
  /** What moves the bytes of our own proxy; `instead`: why it is not the native engine. Absent: another proxy does. */
  readonly engine?: { readonly name: 'node' | 'native'; readonly instead?: string };
  readonly connections: number;
  readonly routes: number;
  readonly originate: {
    readonly open: readonly number[];
    readonly failed: readonly { readonly port: number; readonly reason: string }[];
  };
  /** Absent of an east-west gateway. */
  readonly ingress?: {
    readonly open: readonly number[];
    readonly failed: readonly { readonly port: number; readonly reason: string }[];
    /** RFC 3339; `problem`: why files cannot be used as they are, so that those before are used on, or nobody is served where there are none. */
    readonly certificates: readonly { readonly certFile: string; readonly notAfter?: string; readonly problem?: string }[];
  };
  /** Endpoints held back for having refused connections. */
  readonly ejected: readonly string[];
  /** `kept`: begun by this gateway, as peers cannot dial it; `held`: begun by others that nobody can dial. */
  readonly tunnels: { readonly kept: readonly TunnelStatus[]; readonly held: readonly TunnelStatus[] };
}

export interface ListenAddress {
  readonly address: string;
  readonly port: number;
}
