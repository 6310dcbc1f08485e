export { connectionEntry, requestEntry } from './access-log.ts';
export { registerCertificateExpiry, TrafficMetrics } from './metrics.ts';
