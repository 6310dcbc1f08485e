export type { NomadSpec, NomadTuning } from './config.ts';
export { createNomadSource } from './source.ts';
