/** All time comes from here, so that tests can turn it. Pure code gets times as arguments. */
export interface Clock {
  /** Unix time in ms. For certificates and what people read; it may jump. */
  now(): number;
  /** Monotonic ms from an arbitrary start. For ages, deadlines and intervals. */
  monotonic(): number;
  /** Resolves after `ms`, or rejects with MeshError ABORTED when `signal` aborts; leaves no listener behind. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `run` after `ms`, unless the returned function, idempotent, was called before: for waits that mostly end early. Absent: use `sleep`. */
  timer?(ms: number, run: () => void): () => void;
}
