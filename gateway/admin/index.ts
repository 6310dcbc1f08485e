export type { GatewayStatus, ListenAddress } from './contract.ts';
export { registerGatewayMetrics } from './gateway-metrics.ts';
export { healthPages, metricsPages } from './pages.ts';
export type { PlainServer } from './server.ts';
export { servePages } from './server.ts';
