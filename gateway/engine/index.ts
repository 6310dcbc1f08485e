export { Attempts, type AttemptsContext, Balancer, type PickContext } from '../balance/index.ts';
export type { CalledEndpoint } from './called-endpoint.ts';
export { type CalledBy, calledBy } from './caller.ts';
export type { CaptureRule } from './capture-contract.ts';
export { destinationKey } from './capture-contract.ts';
export type {
  AttemptFailure,
  Carrier,
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
  ExposedRule,
  Latency,
  MeshEnd,
  PeerIdentity,
  PlaceNews,
  PlainRule,
  ResponseFlag,
  SniRule,
} from './contract.ts';
export { ejectionKey, lookedAt } from './contract.ts';
export { connectionFacts, factsOf } from './evaluate-authz.ts';
export { findSniRule } from './find-sni-rule.ts';
export type { IngressEnd, IngressRule, IngressTls } from './ingress-contract.ts';
export { giveBack, heldFree } from './native/addon.ts';
export { abortStream } from './node/abort-stream.ts';
export { memoryShort } from './node/admission.ts';
export { NodeEngine } from './node/node-engine.ts';
export { pump } from './node/pump.ts';
export { type EngineChoice, engineFor, openEngine } from './open-engine.ts';
export { sourceAllowed } from './source-allowed.ts';
