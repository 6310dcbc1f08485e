import type { PreflightRequest } from '../../../control/migrate/preflight/index.ts';
import type { MigrationSpec } from '../../../core/config/index.ts';
import type { MigrationScene } from '../../support/preflight-scene.ts';

/** One wrong migration: what differs from a good one, and everything that is said of it. */
export interface WrongRow {
  readonly title: string;
  readonly scene?: (scene: MigrationScene) => void;
  readonly request?: Partial<PreflightRequest>;
  /** Of a Migration that somebody wrote, for the parser: what differs from one without anything but its sides. */
  readonly migration?: object;
  /** What the parser would have refused, put into the spec behind it. */
  readonly spec?: (spec: MigrationSpec) => Partial<MigrationSpec>;
  /** All checks that do not pass, in order: what the message and the advice hold. Where none is `fail` it is a warning, and nothing is refused. */
  readonly expect: readonly (readonly [check: string, ok: 'warn' | 'fail', message: string, fix: string])[];
}
