export type { LiveRecord, MigrationObject, MigrationObjects, MigrationsOptions, NativeNameSwitch } from './contract.ts';
export type { Commanded } from './migrations.ts';
export { Migrations } from './migrations.ts';
export type { ShiftDocument } from './shift-documents.ts';
