export type { FileSpec } from './source.ts';
export { createFileSource } from './source.ts';
