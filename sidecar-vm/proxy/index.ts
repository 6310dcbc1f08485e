export type { EnvoyTrafficOptions } from './envoy-traffic.ts';
export { EnvoyTraffic } from './envoy-traffic.ts';
export { openEnvoyTraffic } from './open-envoy.ts';
export { takenByOthers } from './taken.ts';
