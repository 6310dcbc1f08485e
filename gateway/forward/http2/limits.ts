/** What one HTTP/2 connection may cost, in either role. What one exchange may is in HttpLimits, whichever the version. */
export const http2Limits = {
  /** Streams that a caller has open at once on one connection; Envoy's is 1,024. */
  maxStreams: 1_024,
  /** Streams that we open at once on one upstream connection, where its server allows so many; then another is opened. */
  maxUpstreamStreams: 256,
  /** Bytes that the other side may send ahead of what is read: on one stream, and on all together. */
  streamWindow: 262_144,
  connectionWindow: 1_048_576,
  /** Headers, queued frames and unread data. In MB, as Node counts. */
  maxMemoryMb: 32,
  /** Frames that are no HTTP/2, and streams that were refused, until a connection is given up. */
  maxInvalidFrames: 100,
  maxRejectedStreams: 100,
  /** See PrematureResets; Envoy's numbers. */
  resetsJudgedFrom: 500,
  prematureMs: 1_000,
} as const;
