import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { ClusterId, SourceId } from '../model/index.ts';

/** What every adapter and publisher is given besides its Registry object's spec. */
export interface AdapterDeps {
  readonly id: SourceId;
  /** The cluster of this control plane. */
  readonly cluster: ClusterId;
  readonly clock: Clock;
  /** [0, 1); for jitter. */
  readonly random: () => number;
  /** Fields hold no secrets. */
  readonly log: Log;
}
