export type { EnvoyTraffic, EnvoyTrafficOptions } from './envoy-traffic.ts';
export { takenByOthers } from './taken.ts';
