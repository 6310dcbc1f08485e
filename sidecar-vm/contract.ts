import type { Registry } from 'prom-client';
import type { Clock } from '../core/clock.ts';
import type { ListenerKeeper } from '../core/listeners/index.ts';
import type { Log } from '../core/log.ts';
import type { ProxyStatus, TunnelStatus } from '../gateway/index.ts';

/** What an agent is given besides its options. All of it has a default that a real machine wants. */
export interface AgentDeps {
  readonly clock?: Clock;
  /** [0, 1). */
  readonly random?: () => number;
  /** Default: JSON lines on standard error. */
  readonly log?: Log;
  /** One JSON-ready object for each request or connection. Default: JSON lines on standard output. */
  readonly accessLog?: (entry: Readonly<Record<string, unknown>>) => void;
  /** Default: one of its own. Two agents of one process need two. */
  readonly metrics?: Registry;
  /** Who opens its listening sockets. Default: this process alone, so that they end with it. */
  readonly listeners?: ListenerKeeper;
  /** With address auto: the IP that this machine has towards the first of these `HOST:PORT` that it has a route to. Default: what the kernel says. */
  readonly addressTowards?: (targets: readonly string[]) => Promise<string | undefined>;
}

export interface ListenAddress {
  readonly address: string;
  readonly port: number;
}

/** An agent that serves. */
export interface RunningAgent {
  readonly inbound: ListenAddress;
  readonly dns: ListenAddress;
  readonly admin: ListenAddress;
  status(): AgentStatus;
  /**
   * Tells the control plane, stops accepting, lets what runs finish within `drainMs`, ends. The registration stays, as
   * draining, for the next start. Idempotent; aborting the signal of the start does the same.
   */
  drain(): Promise<void>;
  /**
   * Lets go for a process that takes over: resolves when the state directory is free. What runs is finished within `drainMs`, new
   * connections are left to the other; then it ends. MeshError CONFLICT where an Envoy carries the traffic: it goes on as it was.
   */
  handOver(): Promise<void>;
  /** The same as drain, and deregisters: this machine is no longer of the mesh until it joins again. */
  leave(): Promise<void>;
  /** Resolves when everything is closed; rejects with MeshError FENCED when a newer start of this instance has taken over. */
  readonly ended: Promise<void>;
}

/** How far this machine has come, in the order in which it must come. `reason` says what is missing, or what holds. */
export interface StageVerdict {
  readonly stage: 'attested' | 'registered' | 'synced' | 'healthy' | 'reachable';
  readonly ok: boolean;
  readonly reason: string;
}

/** GET /v1/agent. Holds no secret. */
export interface AgentStatus {
  readonly instance: string;
  readonly version: string;
  /** Attested, and serving from the control plane or from disk. */
  readonly ready: boolean;
  readonly stages: readonly StageVerdict[];
  /** `refused`: the control plane said no, and the stage says why. Absent before the first attempt. */
  readonly registration?: 'connecting' | 'registered' | 'refused' | 'fenced' | 'left';
  readonly network: string;
  /** As it registers now; empty while none is known. */
  readonly address: string;
  readonly inbound: ListenAddress;
  readonly dns: ListenAddress;
  /** Absent before the first attestation. */
  readonly identity?: {
    readonly spiffeId: string;
    readonly cluster: string;
    /** RFC 3339. */
    readonly notAfter: string;
    readonly state: 'valid' | 'renewing' | 'expired';
    readonly lastError?: string;
  };
  /** Beside that one. */
  readonly identities: readonly {
    readonly name: string;
    readonly spiffeId: string;
    /** RFC 3339. */
    readonly notAfter: string;
    readonly state: 'valid' | 'renewing' | 'expired';
    readonly lastError?: string;
    /** Whose it is, `uid 1001`; empty: everybody's. */
    readonly selectors: string;
    /** `NAMESPACE/NAME`. */
    readonly services: readonly string[];
  }[];
  /** What carries the traffic. */
  readonly proxy: ProxyStatus;
  /** What moves the bytes of our own proxy, and why it is not the native engine where that was asked for. Absent: an Envoy does, or it is not open yet. */
  readonly engine?: { readonly name: 'native' | 'node'; readonly instead?: string };
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
  readonly discovery: 'all' | 'on-demand';
  /** The services subscribed to by name; empty with discovery `all`. */
  readonly interest: readonly {
    readonly host: string;
    readonly why: 'configured' | 'used' | 'asked';
    /** `unknown`: no control plane has said. */
    readonly state: 'present' | 'absent' | 'unknown';
    /** Since it was last looked up or connected to. */
    readonly idleMs?: number;
  }[];
  readonly services: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly health: 'unknown' | 'healthy' | 'unhealthy';
    readonly reason: string;
  }[];
  /** Of a machine that nobody can dial: the gateways that it serves through. Absent: others dial its address. */
  readonly tunnels?: readonly TunnelStatus[];
  /** What local programs may dial; `endpoints` of 0 answers nobody. */
  readonly outbound: readonly {
    readonly host: string;
    readonly address: string;
    readonly port: number;
    readonly protocol: string;
    readonly endpoints: number;
  }[];
  /** Of the packet filter's rules; absent where the agent is not told to expect any. */
  readonly capture?: { readonly port: number; readonly rules: 'in-place' | 'missing'; readonly reason: string };
  /** PORT_TAKEN: the app wins, and `reason` says how to reach the service all the same. */
  readonly taken: readonly { readonly host: string; readonly port: number; readonly reason: string }[];
}
