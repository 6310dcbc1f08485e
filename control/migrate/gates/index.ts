export type { GateView, Window } from './contract.ts';
export { evaluateGates, isExternal } from './evaluate.ts';
export { latencyNeeded } from './latency.ts';
export { fewestToCompare, neededFor } from './needed.ts';
export { ms, number, some } from './words.ts';
