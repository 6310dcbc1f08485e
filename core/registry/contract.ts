import type { MeshError } from '../errors.ts';
import type { ServiceKey, ServiceRecord, SourceId } from '../model/index.ts';

/**
 * One connection to one registry. Retries inside, with jitter; the iteration ends only when `signal` aborts, and then
 * without throwing. One iteration at a time. The first event is `snapshot`, or `stale` as long as none could be had.
 * Events are lossless and in order: a reader that is slow holds the source back, it never misses one.
 */
export interface RegistrySource {
  readonly id: SourceId;
  watch(signal: AbortSignal): AsyncIterable<RegistryEvent>;
}

/**
 * `snapshot`: everything, after start and after every resync (an index that went back, a 410, a lost stream); what it does not
 * name is gone. `cursor` is the registry's own revision, for people. `stale`: the registry cannot be read now; what was
 * said before stands. After `stale` the next event is `snapshot`, or another `stale`.
 */
export type RegistryEvent =
  | { readonly kind: 'snapshot'; readonly services: readonly ServiceRecord[]; readonly cursor: string }
  | { readonly kind: 'upsert'; readonly service: ServiceRecord; readonly cursor: string }
  | { readonly kind: 'delete'; readonly id: ServiceKey; readonly cursor: string }
  | { readonly kind: 'stale'; readonly error: MeshError };

/** One imported service that callers without a sidecar should find in a native registry as `NAME-mesh`. */
export interface PublishedService {
  readonly namespace: string;
  readonly name: string;
  readonly ports: readonly { readonly name: string; readonly port: number; readonly protocol: string; readonly gatewayPort: number }[];
  /** IPs of healthy gateways of the registry's network. */
  readonly gatewayAddresses: readonly string[];
}

/** Writes into one registry what callers without a sidecar should find there. Owns only records tagged with its owner. */
export interface RegistryPublisher {
  readonly id: SourceId;
  /**
   * Makes the registry hold exactly `services` among the records owned by this cluster and source: creates, updates,
   * removes. Idempotent; never touches a record of another owner (returned as a conflict instead).
   */
  reconcile(services: readonly PublishedService[], signal: AbortSignal): Promise<PublishResult>;
}

export interface PublishResult {
  readonly written: number;
  readonly removed: number;
  /** Names that somebody else holds, each with what to do. */
  readonly conflicts: readonly string[];
}

/** A service under its own name in one registry, so that callers without a sidecar come by a gateway without being told of another name. */
export interface NativeNames {
  /**
   * Adds the gateways under the service's own name, and where asked takes the originals out of it: then, and only then, what was drained is
   * marked so in the registry itself. Idempotent: called again it does the same for what has come since. Nothing is drained while no
   * gateway stands under the name.
   */
  switch(service: SwitchedService, signal: AbortSignal): Promise<NativeNameResult>;
  /** Makes the name what it would be without us, whichever replica switched it: by the marks in the registry. Idempotent. */
  restore(service: { readonly namespace: string; readonly name: string }, signal: AbortSignal): Promise<NativeNameResult>;
  /** The same for every service of this owner: what `uninstall` takes back. */
  restoreAll(signal: AbortSignal): Promise<readonly NativeNameResult[]>;
}

export interface SwitchedService extends PublishedService {
  /** Registry spec.takeover. */
  readonly drainOriginals: boolean;
}

export interface NativeNameResult {
  /** `switched`: a gateway stands under the name. */
  readonly state: 'original' | 'switched';
  /** Originals that were found under the name, and those of them that are kept out of it by us. */
  readonly originals: number;
  readonly drained: number;
  /** What could not be done, each with what to do; it is tried again with the next call. */
  readonly problems: readonly string[];
}
