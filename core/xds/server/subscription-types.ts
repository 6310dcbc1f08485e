import type { EncodedResource } from '../resource-source.ts';

export type Resources = ReadonlyMap<string, EncodedResource>;

/** A response that waits for its ACK or NACK; at most one a type, which bounds what a client that never answers can hold. */
export interface InFlight {
  readonly nonce: string;
  /** What is new to the client. */
  readonly offered: Resources;
  readonly removed: ReadonlySet<string>;
  /** Everything in the response, in its order. */
  readonly listed: readonly string[];
}

/** The subscription part of a request. */
export interface SubscriptionChange {
  readonly added: readonly string[];
  readonly dropped: readonly string[];
  /** Name → version that the client has brought along from an earlier stream; counts in the first change only. */
  readonly known?: Readonly<Record<string, string>>;
}

export interface Quarantined {
  readonly version: string;
  /** The client's own words, or why it was never sent. */
  readonly reason: string;
  /** It cannot be encoded: the client has not seen it. */
  readonly unsent?: true;
}

export interface Batch {
  readonly resources: readonly EncodedResource[];
  readonly removed: readonly string[];
}
