export type {
  CallerCounts,
  ExternalGate,
  ExternalQuestion,
  ExternalValue,
  Meter,
  MigrationCommand,
  MigrationState,
  Observation,
  SideCounts,
  SidePlaces,
} from './contract.ts';
export type { Advanced, AdvanceInput, Memory } from './machine/index.ts';
export { advance, command, isRunning, reserve, shiftOf, statusOf } from './machine/index.ts';
