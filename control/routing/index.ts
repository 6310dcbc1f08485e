export { refusedByProxies } from './check-compiled.ts';
export { noClientRules } from './client-rules.ts';
export { createTrafficCompiler, type TrafficCompiler } from './compiler.ts';
export type {
  CallerTraffic,
  ClientRules,
  ClusterPolicy,
  CompiledCheck,
  CompiledFault,
  CompiledGateway,
  Egress,
  Finding,
  SelectEndpoint,
  ServiceTraffic,
  Subset,
  TrafficModel,
  Workload,
} from './contract.ts';
export { belongsTo, isKnownTo, selectEndpoint } from './select-endpoint.ts';
