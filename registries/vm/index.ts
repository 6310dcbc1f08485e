export type { RegisteredGatewayRecord, RegisteredInstance, RegisteredService, RegisteredWorkload } from './record.ts';
export { decodeInstance, encodeInstance, gatewaysPrefix, instanceIdOf, instanceKey, workloadsPrefix } from './record.ts';
export { createVmSource } from './source.ts';
export { translate } from './translate.ts';
export type { Groups } from './with-group.ts';
