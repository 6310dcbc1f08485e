export type {
  CallFact,
  ClientFact,
  MigrationDocument,
  MigrationFact,
  NativeFact,
  PeerFact,
  Preflight,
  PreflightCheck,
  PreflightFacts,
  PreflightRequest,
  RegistryFact,
  SeenTraffic,
} from './contract.ts';
export { preflight } from './preflight.ts';
