import type { Clock } from '../../core/clock.ts';
import type { ClusterId, Runtime, SourceId } from '../../core/model/index.ts';
import type { RegistryEvent, RegistrySource } from '../../core/registry/index.ts';
import type { RecordStore } from './persist.ts';
import type { CatalogChange, CatalogView, GatewayRecord, SourceStatus } from './view.ts';

export interface CatalogOptions {
  readonly cluster: ClusterId;
  readonly store: RecordStore;
  readonly clock: Clock;
  /** MeshSpec.catalog.expireAfterMs: a lost source's endpoints go after this; 0: never. */
  readonly expireAfterMs: number;
  /** Told of a persisted record that cannot be read, and of a store that cannot be written; never throws. Default: nobody. */
  readonly onProblem?: (message: string) => void;
}

export interface SourceOptions {
  /** Globs over `NAMESPACE/NAME` that it may publish (RegistryRules.claims). Empty: none. */
  readonly claims: readonly string[];
  readonly runtime?: Runtime;
}

/** A SourceStatus with its ages, at the moment of the call. */
export interface SourceReport extends SourceStatus {
  /** ms since its data was last known to be current; 0 for a live local source; absent while unknown. */
  readonly ageMs?: number;
  /** ms in this state. */
  readonly stateMs: number;
}

/**
 * Merges every source of this cluster and every peer's exports into one view. Single writer: every input is applied in the
 * order of the calls, and the view changes soon after (coalesced), atomically. Nothing here blocks on the store, except that
 * sources are held back while writes lag too far behind.
 */
export interface Catalog {
  /** Reads what was persisted; call before anything is added. Disposes itself when `signal` aborts. Rejects as the store does. */
  start(signal: AbortSignal): Promise<void>;
  /** Stops every watch and writes what is left, once; idempotent. Resolves when nothing runs any more. */
  dispose(): Promise<void>;
  /** The newest view; never undefined, empty at first. */
  current(): CatalogView;
  /** Begins with everything there is, then every change; a slow reader gets the union of what it missed. Ends when `signal` aborts. */
  changes(signal: AbortSignal): AsyncIterable<CatalogChange>;
  /**
   * Watches a source from now on. What was persisted of it is served at once as stale. The same id again replaces the connection and
   * the options, make before break: its records stand until the new one's first snapshot.
   */
  addSource(source: RegistrySource, options: SourceOptions): void;
  /** Stops watching and purges its records atomically, from disk too. */
  removeSource(id: SourceId): Promise<void>;
  /** Restores what was persisted of the peer. `namespaces` (PeerSpec): which services and identities it may bring; `*` for all. May be called again. */
  addPeer(cluster: ClusterId, namespaces: readonly string[]): void;
  /** Purges all its sources and gateways atomically, from disk too. */
  removePeer(cluster: ClusterId): Promise<void>;
  /** One event of one of the peer's sources. Ignored when the peer was not added. */
  applyPeer(cluster: ClusterId, source: SourceId, event: RegistryEvent): void;
  /** The peer's SourceState: its own data is `ageMs` old now. `live` after a stale source keeps what stands; a snapshot must have come before. */
  confirmPeer(cluster: ClusterId, source: SourceId, ageMs: number): void;
  /** The stream to the peer is lost: all its sources turn stale. */
  peerLost(cluster: ClusterId, reason: string): void;
  /** The peer no longer has this source (after a complete sync that did not name it). */
  dropPeerSource(cluster: ClusterId, source: SourceId): void;
  /** All gateways of one cluster, ours or an added peer's; replaces what was said before. */
  setGateways(cluster: ClusterId, gateways: readonly GatewayRecord[]): void;
  /** Removes from disk what belongs to no source and no peer added by now. For the composition root, once all are added. */
  forgetUnconfigured(): Promise<void>;
  status(): readonly SourceReport[];
  /** Resolves when everything applied so far is durable. Rejects when the store cannot be written. */
  flush(): Promise<void>;
}
