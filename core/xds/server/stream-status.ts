import type { Quarantined } from './subscription-types.ts';

/** One stream, for `isthmus status`. */
export interface StreamStatus {
  /** Unix ms. */
  readonly connectedAt: number;
  /** Unix ms of its last ACK or NACK; our own clients acknowledge heartbeats too, so an old time means one that hangs. */
  readonly lastAnswerAt?: number;
  readonly lastNack?: { readonly typeUrl: string; readonly message: string; readonly at: number };
  /** Everything it subscribed to was sent and answered. */
  readonly current: boolean;
  /** ms since the client last held all there is for it, at today's versions; 0: it does now. What it refuses counts: of that it runs on older data. */
  readonly dataAgeMs: number;
  readonly types: readonly StreamTypeStatus[];
}

export interface StreamTypeStatus {
  readonly typeUrl: string;
  readonly subscribed: number | '*';
  readonly acked: number;
  /** A response waits for its answer. */
  readonly waiting: boolean;
  /** What the client refused, in its own words, and what could not be sent; not sent again until there is another version. */
  readonly refused: readonly ({ readonly name: string } & Quarantined)[];
}
