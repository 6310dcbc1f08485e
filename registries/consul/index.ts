export type { ConsulSpec, ConsulTuning } from './config.ts';
export { createConsulSource } from './source.ts';
