export { connectingUid } from './connecting-uid.ts';
export type { PeerCredentials, TcpEnd, TcpPair } from './contract.ts';
export { giveBackMemory } from './give-back-memory.ts';
export { originalDestination } from './original-destination.ts';
export {
  closeDescriptor,
  connectUnix,
  duplicateDescriptor,
  passDescriptors,
  type Received,
  receiveDescriptors,
} from './pass-descriptors.ts';
export { peerCredentials, peerGroups } from './peer-credentials.ts';
export { socketFd } from './socket-fd.ts';
export type { SocketRow, SocketState } from './socket-row.ts';
export { readTable, type TableReading } from './socket-table.ts';
export { setTransparent } from './transparent.ts';
