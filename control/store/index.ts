export type { EmbeddedStoreOptions } from './embedded.ts';
export { openEmbeddedStore } from './embedded.ts';
export { openEtcdStore } from './etcd.ts';
export type { EtcdStoreOptions } from './etcd-connection.ts';
export { openStore } from './open-store.ts';
