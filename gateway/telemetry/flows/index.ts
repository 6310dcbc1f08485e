export { FlowSink } from './flow-sink.ts';
export type { Flows } from './open-flows.ts';
export { openFlows } from './open-flows.ts';
