export { Attempts, type AttemptsContext, Balancer, type PickContext } from '../balance/index.ts';
export type {
  AttemptFailure,
  ClusterTable,
  ConnectionReport,
  ConnectionSource,
  DeliveredConnection,
  DialRequest,
  DialResult,
  EndpointAttempt,
  Engine,
  EngineCounters,
  EngineLimits,
  EngineListener,
  EngineListenerSpec,
  EngineOptions,
  EngineTables,
  MeshEnd,
  PeerIdentity,
  PlainRule,
  ResponseFlag,
  SniRule,
} from './contract.ts';
export { ejectionKey } from './contract.ts';
export { denialOf } from './evaluate-authz.ts';
export { findSniRule } from './find-sni-rule.ts';
export type { IngressEnd, IngressRule, IngressTls } from './ingress-contract.ts';
export { abortStream } from './node/abort-stream.ts';
export { NodeEngine } from './node/node-engine.ts';
export { pump } from './node/pump.ts';
export { sourceAllowed } from './source-allowed.ts';
