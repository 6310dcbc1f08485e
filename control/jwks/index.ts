export { fetchKeys } from './fetch-keys.ts';
export { KeySets } from './key-sets.ts';
