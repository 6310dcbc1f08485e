import type { Status } from '../gen/google/rpc/status.ts';
import type { ChangedNames, ResourceSet } from '../resource-source.ts';
import type { Unsendable } from './encoding-fault.ts';
import type { Quarantined } from './subscription-types.ts';

/** What requests of both variants of the protocol have in common. */
export interface AnyRequest {
  readonly typeUrl: string;
  readonly responseNonce: string;
  readonly errorDetail: Status | undefined;
}

export interface AnyResponse {
  readonly typeUrl: string;
  readonly nonce: string;
}

/** What a request came to. `refused`: the stream must end with that text. */
export type RequestOutcome =
  | { readonly kind: 'subscribed' }
  | { readonly kind: 'acked' }
  | { readonly kind: 'nacked'; readonly message: string }
  | { readonly kind: 'stale-nonce' }
  | { readonly kind: 'refused'; readonly reason: string };

/** Where one type of one stream stands. */
export interface TypeState {
  readonly typeUrl: string;
  readonly wildcard: boolean;
  /** Names asked for, and one for the wildcard. */
  readonly subscribed: number;
  /** Name → version that the client has taken. */
  readonly acked: ReadonlyMap<string, string>;
  readonly quarantined: ReadonlyMap<string, Quarantined>;
  /** The nonce of the response that waits for its answer. */
  readonly inFlight: string | undefined;
  readonly unsendable: Unsendable[];
}

/** The server's side of one stream, in either variant of the protocol. Pure: no streams, no clocks, no I/O. */
export interface ServerState<Request, Response> {
  request(request: Request): RequestOutcome;
  /** Undefined: anything may have changed. False: nothing that this client asked for. */
  changed(changes: readonly ChangedNames[] | undefined): boolean;
  /** The next response to send, which then counts as sent; undefined when there is nothing to send now. */
  next(resources: ResourceSet): Response | undefined;
  /** Everything subscribed was sent and answered, given these resources; types that this server does not know do not count. */
  caughtUp(resources: ResourceSet): boolean;
  types(): Iterable<TypeState>;
}
