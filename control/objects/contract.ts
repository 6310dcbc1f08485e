import type {
  AuthorizationPolicyObject,
  PeerAuthenticationObject,
  RequestAuthenticationObject,
  TrafficObject,
} from '../../core/config/index.ts';
import type { Violation } from '../../core/validate.ts';

/** What may be applied; the kinds of one control plane alone (Mesh, Registry, Peer, ...) come from its files and nowhere else. */
export type AppliableObject = TrafficObject | AuthorizationPolicyObject | RequestAuthenticationObject | PeerAuthenticationObject;

/** Which object: the version of its API does not count. */
export interface ObjectRef {
  /** `networking.istio.io`. */
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** `GROUP/KIND/NAMESPACE/NAME`. */
export type ObjectKey = string;

/** One cluster owns each object, and in it one source: only there can it be changed. */
export interface ObjectOwner {
  readonly cluster: string;
  /** `file`: the control plane's own configuration; `api`: applied; `kubernetes/NAME`: a Registry's CRDs. */
  readonly source: string;
}

export interface OwnedObject {
  readonly ref: ObjectRef;
  readonly owner: ObjectOwner;
  /** Unix ms, stamped by the owner when it first had it. */
  readonly createdAt: number;
  /** The document as its author wrote it, `status` left out: what is replicated, shown by `get`, and parsed again by whoever gets it. */
  readonly document: Readonly<Record<string, unknown>>;
  readonly object: AppliableObject;
}

/**
 * All objects in force in this cluster, from every source and from peers, as one set. Immutable; what did not change is the same object.
 * Where several owners have one key the oldest wins (createdAt, then cluster, then source); the others are reported, not lost.
 */
export interface ObjectView {
  readonly revision: number;
  readonly objects: ReadonlyMap<ObjectKey, OwnedObject>;
  readonly conflicts: readonly { readonly key: ObjectKey; readonly winner: ObjectOwner; readonly losers: readonly ObjectOwner[] }[];
  /** Documents that an owner has and that cannot be used here (a peer's of a newer version, say). They block nothing else. */
  readonly refused: readonly { readonly key: ObjectKey; readonly owner: ObjectOwner; readonly violations: readonly Violation[] }[];
}

/** Changes that are in force and rolled back by themselves unless somebody confirms them in time. */
export interface TentativeChanges {
  readonly revision: number;
  /** Unix ms, by the owner's clock. */
  readonly confirmBy: number;
  /** What each changed object goes back to; undefined: it is not there then. */
  readonly fallback: ReadonlyMap<ObjectKey, OwnedObject | undefined>;
}

/** One owner's whole set, replaced at once or object by object. Unknown is never published as empty: a source not yet read has no entry. */
export interface ObjectSource {
  readonly owner: ObjectOwner;
  readonly objects: ReadonlyMap<ObjectKey, OwnedObject>;
  /** What the owner has and cannot be used here; absent: nothing. */
  readonly refused?: readonly { readonly key: ObjectKey; readonly violations: readonly Violation[] }[];
  /** Which of it nobody has confirmed yet; absent: nothing, or it is not told. */
  readonly tentative?: TentativeChanges;
}

/** One step of what was applied through the API; kept durably (control/store), the newest 1,000. */
export interface Revision {
  /** 1, 2, 3 ... without gaps. */
  readonly number: number;
  /** Unix ms. */
  readonly at: number;
  /** Who, as in the audit record. */
  readonly by: string;
  readonly reason: 'apply' | 'delete' | 'rollback' | 'expired';
  readonly message: string;
  readonly changes: readonly {
    readonly key: ObjectKey;
    readonly before?: OwnedObject['document'];
    readonly after?: OwnedObject['document'];
  }[];
  /** Rolled back by itself at this time (Unix ms) unless confirmed; survives restarts. One at a time. */
  readonly confirmBy?: number;
  readonly state: 'tentative' | 'confirmed' | 'rolled-back';
}
