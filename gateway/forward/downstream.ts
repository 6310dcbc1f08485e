import type { BodySink, IncomingBody, RequestHead, ResponseHead } from './message.ts';
import type { UpgradeEnd } from './tunnel.ts';

/**
 * The caller's side of one exchange: one request that came, and the means to answer it. An implementation for each version of
 * HTTP; what follows from a version (framing, resets, whether a connection goes on) stays in it.
 */
export interface Downstream {
  readonly protocol: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2';
  /** Only for logs when `refused`. */
  readonly request: RequestHead;
  /** Why it must not be forwarded, whatever else. */
  readonly refused: { readonly status: number; readonly detail: string } | undefined;
  readonly body: IncomingBody;
  /** It asks for a WebSocket: `accept` may be called in place of `respond`. */
  readonly upgrade: boolean;
  /** A final head went out. */
  readonly answered: boolean;
  /** All was said, though maybe not flushed. */
  readonly ended: boolean;
  /** All was said and flushed. */
  readonly finished: boolean;
  /** Nobody is there to be answered. */
  readonly gone: boolean;
  /** `finished` or `gone` came true; may be called more than once. Set before anything else. */
  onEnd: () => void;
  /** Sends the body that it announced (100). Nothing where that is too late. */
  sendContinue(): void;
  /**
   * `last`: no request may come after on this connection (HTTP/2: it is not told by an answer). An answer to HEAD gets no body
   * whatever is written. Once.
   */
  respond(head: ResponseHead, last: boolean): BodySink;
  /** From here bytes go both ways as they are. Instead of `respond`, once, where `upgrade`. */
  accept(head: ResponseHead): UpgradeEnd;
  /** Breaks off so that the caller sees that the answer is not whole: a reset of the connection, or of the stream. */
  abort(): void;
}
