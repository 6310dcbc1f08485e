import type { Clock } from '../clock.ts';
import type { ClusterId, SourceId } from '../model/index.ts';

/** The part of a pino logger that adapters use. Fields hold no secrets. */
export interface AdapterLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What every adapter and publisher is given besides its Registry object's spec. */
export interface AdapterDeps {
  readonly id: SourceId;
  /** The cluster of this control plane. */
  readonly cluster: ClusterId;
  readonly clock: Clock;
  /** [0, 1); for jitter. */
  readonly random: () => number;
  readonly log: AdapterLog;
}
