export { connectionEntry, requestEntry } from './access-log.ts';
export { registerLatencies } from './latency-series.ts';
export { logGate } from './log-gate.ts';
export { createAccessLog, createGatewayLog } from './loggers.ts';
export { registerCertificateExpiry, TrafficMetrics } from './metrics.ts';
