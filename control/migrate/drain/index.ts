export type { DrainMemory, OldPlace, SocketSighting, SocketTarget } from './contract.ts';
export type { DrainInput, DrainJudgement } from './judge-drain.ts';
export { judgeDrain } from './judge-drain.ts';
export { AddressBook } from './name-callers.ts';
export { oldPlaces, socketTargets, withGone } from './old-places.ts';
