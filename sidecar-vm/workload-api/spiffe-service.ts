import type { ServerWritableStream } from '@grpc/grpc-js';
import type { Clock } from '../../core/clock.ts';
import {
  type SpiffeWorkloadAPIServer,
  type X509BundlesRequest,
  X509BundlesResponse,
  type X509SVIDRequest,
  X509SVIDResponse,
} from '../../core/xds/gen/spiffe/workload/workload.ts';
import type { Admission, Admitted } from './admission.ts';
import { ended } from './callers.ts';
import type { WorkloadTrust } from './contract.ts';
import { follow } from './follow.ts';
import { x509BundlesResponse, x509SvidResponse } from './x509.ts';

export interface SpiffeServiceOptions {
  readonly admission: Admission;
  readonly trust: WorkloadTrust;
  readonly clock: Clock;
}

type X509Part = Pick<SpiffeWorkloadAPIServer, 'fetchX509Svid' | 'fetchX509Bundles'>;

/** The X.509 half of the SPIFFE Workload API. */
export function spiffeX509Service({ admission, trust, clock }: SpiffeServiceOptions): X509Part {
  const admit = (
    call: Parameters<Admission['admit']>[0] & { emit(event: 'error', error: unknown): boolean },
    serve: (of: Admitted) => void,
  ) => {
    const admitted = admission.admit(call);
    if ('refusal' in admitted) call.emit('error', admitted.refusal);
    else serve(admitted);
  };
  return {
    fetchX509Svid(call: ServerWritableStream<X509SVIDRequest, X509SVIDResponse>) {
      admit(call, ({ identity, release }) =>
        follow(call, {
          compose: () => {
            const refusal = ended(identity, clock);
            if (refusal !== undefined) return { refusal };
            return { message: x509SvidResponse(identity.source.current(), identity.hint, trust.bundles()) };
          },
          encode: (message) => X509SVIDResponse.encode(message).finish(),
          subscribe: (listener) => both(identity.source.subscribe(listener), trust.subscribe(listener)),
          onEnd: release,
        }),
      );
    },
    fetchX509Bundles(call: ServerWritableStream<X509BundlesRequest, X509BundlesResponse>) {
      admit(call, ({ release }) =>
        follow(call, {
          compose: () => ({ message: x509BundlesResponse(trust.bundles()) }),
          encode: (message) => X509BundlesResponse.encode(message).finish(),
          subscribe: (listener) => trust.subscribe(listener),
          onEnd: release,
        }),
      );
    },
  };
}

function both(one: () => void, other: () => void): () => void {
  return () => {
    one();
    other();
  };
}
