export type { ListenerKeeper, ListenPlace } from './contract.ts';
export { listening, ownListeners } from './own-listeners.ts';
