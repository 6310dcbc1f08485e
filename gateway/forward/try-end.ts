import type { AttemptFailure } from '../engine/index.ts';
import type { TryEnd } from '../routing/index.ts';
import { headerOf } from './headers.ts';
import type { ReplayBody } from './replay-body.ts';
import type { SendFailure, SendOutcome, UpstreamCall } from './upstream.ts';

/** The outcome of a try in the words of retry conditions. Pure. */
export function tryEnd(outcome: SendOutcome, timedOut: boolean): TryEnd {
  if (outcome.kind === 'failed') {
    const { delivered } = outcome;
    if (timedOut) return { kind: 'reset', by: 'try-timeout', delivered };
    switch (outcome.failure) {
      case 'connect':
      case 'tls':
      case 'local-origin':
        return { kind: 'reset', by: 'connect', delivered };
      case 'refused-stream':
        return { kind: 'reset', by: 'refused-stream', delivered };
      default:
        return { kind: 'reset', by: 'reset', delivered };
    }
  }
  const { status, headers } = outcome.head;
  const grpcStatus = headerOf(headers, 'grpc-status');
  const rateLimited = headerOf(headers, 'x-envoy-ratelimited') !== undefined;
  return { kind: 'answer', status, rateLimited, ...(grpcStatus === undefined ? {} : { grpcStatus: Number(grpcStatus) }) };
}

/** As outlier detection counts it. */
export function asFailure({ failure }: SendFailure, timedOut: boolean): AttemptFailure {
  if (timedOut) return 'early-close';
  switch (failure) {
    case 'protocol':
    case 'refused-stream':
    case 'reset':
    case 'try-timeout':
    case 'unsendable':
      return 'early-close';
    default:
      return failure;
  }
}

const worthReading = 65_536;

/** An answer that is not passed on: read out where that is soon done, so that its connection can be used again. */
export function discard(outcome: SendOutcome, call: UpstreamCall | undefined, body: ReplayBody): void {
  const length = outcome.kind === 'response' ? Number(headerOf(outcome.head.headers, 'content-length') ?? Number.NaN) : Number.NaN;
  if (outcome.kind === 'response' && body.ended && length <= worthReading) {
    outcome.body.stream.on('error', () => {});
    outcome.body.stream.resume();
  } else call?.cancel();
}
