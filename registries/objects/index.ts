export type { EntriesOptions } from './source.ts';
export { createEntriesSource } from './source.ts';
export { hostnamesOf, isEntry, translate } from './translate.ts';
