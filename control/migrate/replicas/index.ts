export type { Pooled } from './pool.ts';
export { Pool } from './pool.ts';
export type { ReplicaSightsOptions } from './replica-sights.ts';
export { callerGoneMs, ReplicaSights } from './replica-sights.ts';
export type { Sight, Sights } from './sight.ts';
export { mostRecorded } from './sight.ts';
export type { SightBoardOptions } from './sight-board.ts';
export { SightBoard } from './sight-board.ts';
