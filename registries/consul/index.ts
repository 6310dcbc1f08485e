export type { ConsulSpec, ConsulTuning } from './config.ts';
export { createConsulNativeNames } from './native-names.ts';
export { createConsulPublisher } from './publish.ts';
export { createConsulSource } from './source.ts';
