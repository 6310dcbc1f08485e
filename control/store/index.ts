export type { EmbeddedStoreOptions } from './embedded.ts';
export { openEmbeddedStore } from './embedded.ts';
export { openStore } from './open-store.ts';
