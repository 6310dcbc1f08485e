import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { ClusterId, SourceId } from '../model/index.ts';
import type { PublishResult, RegistryPublisher } from './contract.ts';

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

/** A publisher that can say what it wrote and take all of it back, for `uninstall --plan`. */
export interface OwningPublisher extends RegistryPublisher {
  /** What of this owner is in the registry now, as people name it there; sorted. Rejects as `reconcile` does. */
  listOwned(signal: AbortSignal): Promise<readonly string[]>;
  /** Removes all of it, and nothing else; the same as reconciling nothing. */
  removeAll(signal: AbortSignal): Promise<PublishResult>;
}
