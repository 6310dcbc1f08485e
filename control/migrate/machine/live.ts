import type { GateStatus } from '../../../core/admin/index.ts';
import type { MigrationSpec } from '../../../core/config/index.ts';
import type { Observation } from '../contract.ts';
import type { Memory } from './memory.ts';

/** What is known beside the state, by whoever is asked. */
export interface Live {
  /** Absent: this replica does not measure it. */
  readonly memory?: Memory;
  readonly observation?: Observation;
  readonly gates: readonly GateStatus[];
  readonly monotonic: number;
  /** As its leader said, where this is not the leader. */
  readonly remainingMs?: number | null;
  readonly blockers: readonly string[];
  /** Replica; empty: nobody leads. */
  readonly leader: string;
  /** The object's, as it is now; absent: it was deleted. */
  readonly spec?: MigrationSpec;
}
