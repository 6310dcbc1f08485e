export { ProcHolders } from './programs.ts';
export { SocketWatcher } from './socket-watcher.ts';
