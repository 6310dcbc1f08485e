import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { Ledger, RootReports } from '../ca/index.ts';
import type { Caller, CallLike } from '../grpc/index.ts';
import type { Instances } from './instances.ts';
import type { Liveness } from './liveness.ts';
import type { PlaintextReports } from './plaintext-reports.ts';
import type { ReachWatch } from './reach/index.ts';
import type { RefusedRegistrations } from './refused-registrations.ts';
import type { SocketReports } from './socket-reports.ts';
import type { Takeovers } from './takeovers.ts';

export interface RegistrationServerOptions {
  readonly instances: Instances;
  readonly liveness: Liveness;
  readonly ledger: Ledger;
  readonly callerOf: (call: CallLike) => Caller | undefined;
  /** MeshSpec.catalog.agentTtlMs; see `Liveness.heard` for how often heartbeats are asked for. */
  readonly ttlMs: number;
  /** Default: agents are asked for no connections. */
  readonly sockets?: SocketReports;
  /** Keeps what they say of callers without mesh. Default: nobody asks. */
  readonly plaintext?: PlaintextReports;
  /** Connects back to what registers. Default: nobody does. */
  readonly reach?: ReachWatch;
  /** Default: nobody is told of clones. */
  readonly takeovers?: Takeovers;
  /** Keeps what they say of the roots that they lean on. Default: nobody asks. */
  readonly roots?: RootReports;
  /** Counts and remembers what is turned away. */
  readonly refused: RefusedRegistrations;
  readonly clock: Clock;
  readonly log: Log;
  /** Its abort ends every stream with UNAVAILABLE, so that a drain waits for none of them. Default: none. */
  readonly signal?: AbortSignal;
}
