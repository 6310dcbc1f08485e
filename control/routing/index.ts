export { createTrafficCompiler, type TrafficCompiler } from './compiler.ts';
export type {
  ClusterPolicy,
  CompiledGateway,
  Finding,
  SelectEndpoint,
  ServiceTraffic,
  Subset,
  TrafficModel,
} from './contract.ts';
export { selectEndpoint } from './select-endpoint.ts';
