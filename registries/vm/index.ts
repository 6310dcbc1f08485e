export type { Reach, ReachState } from './reach.ts';
export type { RegisteredGatewayRecord, RegisteredInstance, RegisteredService, RegisteredTunnel, RegisteredWorkload } from './record.ts';
export { decodeInstance, encodeInstance, gatewaysPrefix, instanceIdOf, instanceKey, workloadsPrefix } from './record.ts';
export { createVmSource } from './source.ts';
export { translate } from './translate.ts';
export type { Groups } from './with-group.ts';
export { placeOf, withheldFor } from './withheld.ts';
