/** What one pick may know of its request. */
export interface PickContext {
  /** Value of the cluster's hash key; absent where the request has none: then any endpoint, at random. Used by `hash` balancing alone. */
  readonly hash?: string;
  /** Nobody rather than an endpoint under suspicion. */
  readonly soundOnly?: boolean;
}
