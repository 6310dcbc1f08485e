export { registerAgentMetrics } from './agent-metrics.ts';
export { describeAgent } from './describe-agent.ts';
export type { AdminServer } from './server.ts';
export { startAdmin } from './server.ts';
