export type { GatewayListOptions, RegisteredGateway } from './gateway-list.ts';
export { GatewayList } from './gateway-list.ts';
export { Instances } from './instances.ts';
export type { LivenessOptions } from './liveness.ts';
export { Liveness } from './liveness.ts';
export type { RegistrationServerOptions } from './options.ts';
export { Presence } from './presence.ts';
export { registrationServer } from './registration-server.ts';
export { SocketReports } from './socket-reports.ts';
