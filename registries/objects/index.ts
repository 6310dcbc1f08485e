export type { EntriesOptions } from './source.ts';
export { createEntriesSource } from './source.ts';
export { hostnamesOf, translate } from './translate.ts';
