export { reloadAgent } from './reload.ts';
export { superviseAgent } from './supervise-agent.ts';
export type { Supervised } from './worker.ts';
export { supervised } from './worker.ts';
