/** One of an owner's objects as a cluster has or holds it. */
export interface HeldAs {
  /** Digest of all that its owner shares of it. */
  readonly version: string;
  /** It cannot be used there. */
  readonly refused: boolean;
  /** Why; absent where that is not told here. */
  readonly reason?: string;
}

/** What a cluster says of one owner's shared objects: of its own, what there is; of another's, what it holds. */
export interface Holding {
  readonly owner: string;
  /** Who says it. */
  readonly cluster: string;
  /** It is said as of now; otherwise it is the last word of a cluster that is not reachable. */
  readonly current: boolean;
  /** The owner's, which grows with each of its changes. */
  readonly revision: number;
  /** Over all names and versions: equal for equal sets. */
  readonly hash: string;
  readonly objects: number;
  readonly refusedObjects: number;
  /** By the SharedObject's name, SOURCE/GROUP/KIND/NAMESPACE/NAME; absent: not named here. */
  readonly named?: ReadonlyMap<string, HeldAs>;
}

/** A cluster that should hold what an owner shares. */
export interface Pair {
  readonly owner: string;
  readonly cluster: string;
}

/**
 * `lags`: holds another version than its owner has now. `missing`: does not hold it. `refused`: holds it, and cannot use it.
 * `extra`: holds what its owner no longer has. `unknown`: cannot be known now, which is never taken for in sync.
 */
export type ObjectState = 'lags' | 'missing' | 'refused' | 'extra' | 'unknown';

export interface Difference {
  /** Empty: several, of which only their number is known. */
  readonly object: string;
  /** At least 1; more where `object` is empty. */
  readonly count: number;
  readonly state: ObjectState;
  /** What the owner has, and the cluster holds; absent: nothing, or not known. */
  readonly expected?: string;
  readonly held?: string;
  /** Empty: `state` says it. */
  readonly why: string;
}

export interface PairDrift extends Pair {
  readonly state: 'in-sync' | 'drift' | 'unknown';
  /** What is said there, and by the owner; absent: nothing was. */
  readonly held?: Holding;
  readonly reference?: Holding;
  /** All that there is to hold; absent: nobody names it here. */
  readonly listing?: ReadonlyMap<string, HeldAs>;
  /** What does not hold, or is not known to. */
  readonly differences: readonly Difference[];
  /** Why it is not known; empty: it is. */
  readonly why: string;
}
