export type { EndpointGroup, FlowCounts, FlowKey, Observation, Reporter } from './flow.ts';
export { addCounts, failedRequests, increase, noCounts, noGroup } from './flow.ts';
export { flowMessage, parseFlow } from './flow-message.ts';
export type { Flow } from './flow-recorder.ts';
export { FlowRecorder } from './flow-recorder.ts';
export type { LatencyHistogram } from './latency-histogram.ts';
export { lastLatencyBucket, latencyBucket, latencyBucketStart, latencyQuantile } from './latency-histogram.ts';
export { flagAt, flagIndex } from './response-flags.ts';
