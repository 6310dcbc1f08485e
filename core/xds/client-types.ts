import type { ChannelCredentials, ChannelOptions } from '@grpc/grpc-js';
import type { Clock } from '../clock.ts';
import type { MeshError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Node } from './gen/envoy/config/core/v3/base.ts';
import type { Any } from './gen/google/protobuf/any.ts';

/** A resource that the application has accepted, at that version. */
export interface HeldResource {
  readonly name: string;
  readonly version: string;
  readonly any: Any;
}

/** Last known good, in a form that can be written to disk. */
export interface SavedResource {
  readonly typeUrl: string;
  readonly name: string;
  readonly version: string;
  readonly value: Uint8Array;
}

/** One response of the server. Order between types is the server's: what others refer to comes first, removals last. */
export interface XdsUpdate {
  readonly typeUrl: string;
  /** New and changed; decode with `decodeResource`. */
  readonly changed: readonly HeldResource[];
  /** Gone, or asked for by name and not existing. */
  readonly removed: readonly string[];
}

/** Why one resource of an update is not taken; the version held before, if any, stays. */
export interface ResourceRejection {
  readonly name: string;
  /** For the operator who reads it in `isthmus status`; cut at 512 characters. Holds no secret. */
  readonly reason: string;
}

/** What one connection attempt needs; asked for anew each time, so that a renewed SVID is used. */
export interface ChannelSecurity {
  readonly credentials: ChannelCredentials;
  readonly options?: ChannelOptions;
}

export interface DeltaClientOptions {
  /**
   * HOST:PORT of control planes, best first; asked for before each attempt. `bootstrap` is what the user configured: it is
   * always among those that are tried. Host names are resolved anew at each attempt.
   */
  readonly bootstrap: readonly string[];
  readonly addresses?: () => readonly string[];
  readonly security: () => ChannelSecurity | Promise<ChannelSecurity>;
  readonly node: Node;
  /**
   * Judges one update and applies what it takes, before the next one comes. Returns what it refuses; empty accepts all. A throw
   * refuses all of it, so it must apply either everything it does not name or nothing. Synchronous.
   */
  readonly onUpdate: (update: XdsUpdate) => readonly ResourceRejection[];
  /** After each message that shows the server at work; for persisting in its own time. */
  readonly onCurrent?: () => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Ends everything. */
  readonly signal: AbortSignal;
  readonly timing?: Partial<DeltaClientTiming>;
}

export interface DeltaClientTiming {
  /** Backoff between attempts, full jitter. Defaults 200 ms and 15 s. */
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
  /** Until the first message of a new stream. Default 10 s. */
  readonly connectMs: number;
  /** Silence after which the stream counts as dead, until the server's heartbeat says its own interval (then three of those). Default 15 s. */
  readonly silenceMs: number;
}

export type DeltaClientPhase = 'idle' | 'connecting' | 'connected' | 'waiting' | 'closed';

export interface DeltaClientStatus {
  /** `waiting`: between attempts. `connected`: the server has answered on this stream. */
  readonly state: DeltaClientPhase;
  readonly address: string;
  /** Unix ms of the current stream's first message. */
  readonly connectedAt?: number;
  /** ms since the server last said that this client has all there is for it; undefined: never in this process. Grows while disconnected. */
  readonly dataAgeMs?: number;
  readonly attempts: number;
  readonly lastError?: MeshError;
  readonly types: readonly {
    readonly typeUrl: string;
    readonly resources: number;
    readonly rejected: readonly { readonly name: string; readonly version: string; readonly reason: string }[];
  }[];
}

/** A delta ADS client. Subscriptions outlive streams; a stream that breaks or stops moving is replaced until `signal` aborts. */
export interface DeltaClient {
  /** Idempotent, at any time. `*`: all there is of the type. */
  subscribe(typeUrl: string, names: '*' | readonly string[]): void;
  /** Drops what no other subscription covers, without an update. */
  unsubscribe(typeUrl: string, names: '*' | readonly string[]): void;
  /** What is held now: accepted, or restored. Live; do not change. */
  resources(typeUrl: string): ReadonlyMap<string, HeldResource>;
  /** The server has said that this name, subscribed by name, does not exist. */
  isAbsent(typeUrl: string, name: string): boolean;
  snapshot(): readonly SavedResource[];
  /** Before `start`. No update is raised for these: the caller has applied them. The server then sends only what differs. */
  restore(resources: readonly SavedResource[]): void;
  /** Runs until the signal aborts; resolves then, never rejects. Once. */
  start(): Promise<void>;
  /** Replaces the stream, as after a renewed SVID; resources stay. */
  reconnect(reason: string): void;
  status(): DeltaClientStatus;
}
