import type { SpiffeId } from '../model/index.ts';
import type { NodeClaims } from './claims.ts';
import type { ClientKind, DialectName } from './node.ts';
import type { Labels } from './node-labels.ts';

/** One resource as it goes over the wire: encoded once per version and dialect, shared by every client that gets it. Immutable. */
export interface EncodedResource {
  readonly name: string;
  /** Opaque; equal versions mean equal bytes, also across restarts and replicas (a content hash). */
  readonly version: string;
  /** The protobuf message of the type URL it is filed under. May throw where it is encoded only when it is read: then it is not sent. */
  readonly value: Uint8Array;
}

/**
 * By type URL, then by name. Immutable once it was handed out. A type without any resource is an empty map; one that is not
 * there is not known (yet), and clients are told nothing of it.
 */
export type ResourceSet = ReadonlyMap<string, ReadonlyMap<string, EncodedResource>>;

/** Which resources of one type appeared, changed or went. */
export interface ChangedNames {
  readonly typeUrl: string;
  readonly names: readonly string[];
}

/** Who asks, as proven by its certificate (`identity`, `cluster`) and as it says itself (the rest). */
export interface ClientClass {
  readonly dialect: DialectName;
  readonly kind: ClientKind;
  readonly identity: SpiffeId;
  readonly cluster: string;
  readonly network: string;
  /** region/zone/subzone; may be empty. */
  readonly locality: string;
  /** Of the workload. */
  readonly labels: Labels;
  readonly claims: NodeClaims;
}

/** What one class of clients may have now, and when that changes. */
export interface ResourceView {
  /** Undefined until the first snapshot exists: unknown is never served as empty. */
  current(): ResourceSet | undefined;
  /**
   * `listener` runs after `current()` has changed, once for each atomic change; without an argument anything may have
   * changed. It must not throw and returns at once. The returned function unsubscribes and is idempotent.
   */
  subscribe(listener: (changed?: readonly ChangedNames[]) => void): () => void;
}

/** control/snapshot implements it; control/xds serves it. Equal classes may share one view. */
export interface ResourceSource {
  view(client: ClientClass): ResourceView;
}
