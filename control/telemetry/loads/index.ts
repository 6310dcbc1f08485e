export { loadReportingServer } from './load-service.ts';
export type { LoadStatus } from './loads.ts';
export { Loads } from './loads.ts';
