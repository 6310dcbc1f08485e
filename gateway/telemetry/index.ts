export { connectionEntry, requestEntry } from './access-log.ts';
export { createAccessLog, createGatewayLog } from './loggers.ts';
export { registerCertificateExpiry, TrafficMetrics } from './metrics.ts';
