export type { ListenerKeeper, ListenPlace } from './contract.ts';
export { ownListeners, settled } from './own-listeners.ts';
