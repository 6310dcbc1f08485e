export type { Difference, HeldAs, Holding, ObjectState, Pair, PairDrift } from './contract.ts';
export { DriftWatch } from './drift-watch.ts';
export { findDrift } from './find-drift.ts';
