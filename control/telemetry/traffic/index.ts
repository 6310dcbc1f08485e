export type { Destination, TrafficFlow, TrafficLimits, TrafficStats } from './contract.ts';
export type { ReportedMesh, ReportingProxy } from './report-flow.ts';
export type { ReporterStatus } from './reporters.ts';
export { Reporters } from './reporters.ts';
export type { CallSeen } from './seen-flows.ts';
export { callsSeen, countedOnce } from './seen-flows.ts';
export { telemetryServer } from './telemetry-service.ts';
export { TrafficStore } from './traffic-store.ts';
