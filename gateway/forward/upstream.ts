import type { ClusterTable } from '../engine/index.ts';
import type { EndpointState } from '../state/index.ts';
import type { RequestFailure } from './local-reply.ts';
import type { IncomingBody, RequestBody, RequestHead, ResponseHead } from './message.ts';
import type { UpgradeEnd } from './tunnel.ts';

/** What sends requests to endpoints: connections, their reuse, and one version of HTTP (or a choice of them) on the wire. */
export interface Upstream {
  /** Begins at once. Throws nothing; all that goes wrong is an outcome. */
  send(target: Target, request: UpstreamRequest): UpstreamCall;
  /** A connection stands that could take a request now; if not, one is opened, one at a time, for those that come later. */
  isReady(cluster: ClusterTable, endpoint: EndpointState): boolean;
  /** Closes idle connections to what is not among these; see UpstreamPool. */
  close(): void;
}

export interface Target {
  readonly cluster: ClusterTable;
  readonly endpoint: EndpointState;
  /** By a connection that nothing was sent on before. */
  readonly fresh: boolean;
  /** The method allows that it is sent again (RFC 9110 §9.2.2): connections that may be closing just now will do. */
  readonly repeatable: boolean;
}

export interface UpstreamRequest extends RequestHead {
  readonly body: RequestBody;
  /** Ask for a WebSocket. */
  readonly upgrade: boolean;
  /** Some of the body came from the caller. */
  readonly onBytes: () => void;
  /** The upstream wants the body that `Expect: 100-continue` announced. */
  readonly onContinue: () => void;
}

export interface UpstreamCall {
  /** The answer's head, or why none comes. Never rejects. */
  readonly outcome: Promise<SendOutcome>;
  /**
   * Nobody wants (the rest of) it: breaks off what is not over, the upload included, and gives up its connection or resets its
   * stream. Before the outcome it makes that `aborted`. Nothing once both messages are whole. Idempotent.
   */
  cancel(): void;
}

export type SendOutcome =
  | { readonly kind: 'response'; readonly head: ResponseHead; readonly body: IncomingBody }
  | { readonly kind: 'upgraded'; readonly head: ResponseHead; readonly end: UpgradeEnd }
  | SendFailure;

export interface SendFailure {
  readonly kind: 'failed';
  readonly failure: RequestFailure;
  readonly reason: string;
  /** An application may have seen the request. */
  readonly delivered: boolean;
  /** A connection that had been idle was closed under us: that says nothing about the endpoint. */
  readonly stale: boolean;
}
