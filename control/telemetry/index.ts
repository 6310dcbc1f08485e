export type { LoggerOptions } from './logger.ts';
export { createLogger } from './logger.ts';
export type { ControlMetrics } from './metrics.ts';
export { createMetrics } from './metrics.ts';
export type { MigrationMetrics } from './migration-metrics.ts';
export { redact } from './redact.ts';
