import type { ServerWritableStream } from '@grpc/grpc-js';
import type { Clock } from '../../core/clock.ts';
import {
  type SpiffeWorkloadAPIServer,
  type X509BundlesRequest,
  X509BundlesResponse,
  type X509SVIDRequest,
  X509SVIDResponse,
} from '../../core/xds/gen/spiffe/workload/workload.ts';
import { ended, hasSecurityHeader, noHeader, noIdentity, tooMany } from './callers.ts';
import type { WorkloadIdentity, WorkloadTrust } from './contract.ts';
import { follow, type Refusal } from './follow.ts';
import type { SocketCaller } from './socket-front.ts';
import { x509BundlesResponse, x509SvidResponse } from './x509.ts';

export interface SpiffeServiceOptions {
  readonly callerOf: (call: {
    getPeer(): string;
  }) => { readonly caller: SocketCaller; readonly known: WorkloadIdentity | undefined } | undefined;
  readonly trust: WorkloadTrust;
  readonly streamsPerUid: number;
  readonly clock: Clock;
  /** Of a caller that was refused, with the reason for the counter. */
  readonly onRefused: (reason: RefusalReason) => void;
}

export type RefusalReason = 'no-header' | 'no-identity' | 'too-many';

type X509Part = Pick<SpiffeWorkloadAPIServer, 'fetchX509Svid' | 'fetchX509Bundles'>;

/** The X.509 half of the SPIFFE Workload API. */
export function spiffeX509Service(options: SpiffeServiceOptions): X509Part {
  const { trust, clock } = options;
  const admit = admission(options);
  return {
    fetchX509Svid(call: ServerWritableStream<X509SVIDRequest, X509SVIDResponse>) {
      admit(call, (identity, onEnd) =>
        follow(call, {
          compose: () => {
            const refusal = ended(identity, clock);
            if (refusal !== undefined) return { refusal };
            return { message: x509SvidResponse(identity.source.current(), identity.hint, trust.bundles()) };
          },
          encode: (message) => X509SVIDResponse.encode(message).finish(),
          subscribe: (listener) => both(identity.source.subscribe(listener), trust.subscribe(listener)),
          onEnd,
        }),
      );
    },
    fetchX509Bundles(call: ServerWritableStream<X509BundlesRequest, X509BundlesResponse>) {
      admit(call, (_identity, onEnd) =>
        follow(call, {
          compose: () => ({ message: x509BundlesResponse(trust.bundles()) }),
          encode: (message) => X509BundlesResponse.encode(message).finish(),
          subscribe: (listener) => trust.subscribe(listener),
          onEnd,
        }),
      );
    },
  };
}

type Stream = Pick<ServerWritableStream<never, never>, 'getPeer' | 'metadata' | 'emit'>;

/** Who may have a stream, and how many at once. */
function admission({ callerOf, streamsPerUid, onRefused }: SpiffeServiceOptions) {
  const open = new Map<number, number>();
  const judge = (call: Stream): Admitted | { readonly refusal: Refusal; readonly reason: RefusalReason } => {
    if (!hasSecurityHeader(call.metadata)) return { refusal: noHeader, reason: 'no-header' };
    const { caller, known } = callerOf(call) ?? {};
    if (caller === undefined || known === undefined) return { refusal: noIdentity(caller?.uid), reason: 'no-identity' };
    if ((open.get(caller.uid) ?? 0) >= streamsPerUid) return { refusal: tooMany('streams'), reason: 'too-many' };
    return { uid: caller.uid, identity: known };
  };
  return (call: Stream, serve: (identity: WorkloadIdentity, onEnd: () => void) => void): void => {
    const verdict = judge(call);
    if ('refusal' in verdict) {
      onRefused(verdict.reason);
      call.emit('error', verdict.refusal);
      return;
    }
    const { uid, identity } = verdict;
    open.set(uid, (open.get(uid) ?? 0) + 1);
    serve(identity, () => {
      const left = (open.get(uid) ?? 1) - 1;
      if (left === 0) open.delete(uid);
      else open.set(uid, left);
    });
  };
}

interface Admitted {
  readonly uid: number;
  readonly identity: WorkloadIdentity;
}

function both(one: () => void, other: () => void): () => void {
  return () => {
    one();
    other();
  };
}
