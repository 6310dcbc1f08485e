export type { KeptSockets, ListenerKeeper, ListenPlace } from './contract.ts';
export { listening, ownListeners } from './own-listeners.ts';
export { placeKey } from './place-key.ts';
