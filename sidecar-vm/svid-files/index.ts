export type { KeptFiles } from './keep-files.ts';
export { keepFiles } from './keep-files.ts';
