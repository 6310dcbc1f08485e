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
export { isRunning, isSuperseded } from './machine/index.ts';
export type {
  Commanded,
  MigrationObject,
  MigrationObjects,
  MigrationsOptions,
  NativeNameSwitch,
  ShiftDocument,
} from './run/index.ts';
export { Migrations } from './run/index.ts';
