export type { HealthBoardDeps, ServiceVerdict } from './health-board.ts';
export { HealthBoard } from './health-board.ts';
export type { Probe } from './probe.ts';
export { runProbe } from './probe.ts';
export type { HealthState, Thresholds } from './thresholds.ts';
export type { HealthCheck } from './watch-health.ts';
export { watchHealth } from './watch-health.ts';
