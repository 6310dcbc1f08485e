/** How long one step of connections took, of all since the engine began. */
export interface Latency {
  /**
   * `handshake`: from a caller's ClientHello until it has proven who it is. `connect`: from asking an endpoint until it stands, proven if it has
   * to be. `connection`: from accept to the end, of those that were carried to an endpoint.
   */
  readonly step: 'handshake' | 'connect' | 'connection';
  /** An xDS cluster; of handshakes, a listener. */
  readonly of: string;
  /** Upper bounds of the buckets, ms, ascending. */
  readonly boundsMs: readonly number[];
  /** In each bucket alone; the last one is what is above all bounds. */
  readonly counts: readonly number[];
  readonly sumMs: number;
}
