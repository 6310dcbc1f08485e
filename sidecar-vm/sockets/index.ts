export { ProcHolders } from './programs.ts';
export { readTable } from './read-table.ts';
export { SocketWatcher } from './socket-watcher.ts';
