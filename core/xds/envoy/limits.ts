/** What our own proxies allow (gateway/limits.ts), said to Envoy. Times in ms. */
export const proxyLimits = {
  connectTimeoutMs: 5_000,
  helloTimeoutMs: 5_000,
  handshakeTimeoutMs: 10_000,
  tcpIdleMs: 3_600_000,
  streamIdleMs: 300_000,
  keepAliveMs: 60_000,
  headersTimeoutMs: 15_000,
  upstreamIdleMs: 30_000,
  maxHeaderKb: 64,
  maxHeaders: 100,
  maxReplayBytes: 65_536,
  maxAttempts: 3,
  gatewayConnectionRequests: 64,
  gatewayConnectionMs: 60_000,
} as const;
