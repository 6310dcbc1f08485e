import { status as grpcStatus, type ServiceError } from '@grpc/grpc-js';
import type { Clock } from '../clock.ts';
import { MeshError, type MeshErrorCode } from '../errors.ts';
import { isAborted } from '../lifecycle.ts';
import type { ChannelSecurity } from './client-types.ts';
import { AggregatedDiscoveryServiceClient } from './gen/envoy/service/discovery/v3/ads.ts';
import type { DeltaDiscoveryRequest, DeltaDiscoveryResponse } from './gen/envoy/service/discovery/v3/discovery.ts';

/** The server chunks at 1 MiB; one resource alone may be larger. */
const longestMessage = 32 * 1024 * 1024;

export interface StreamOptions {
  readonly address: string;
  readonly security: ChannelSecurity;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Sends the first requests. */
  readonly onOpen: (send: (request: DeltaDiscoveryRequest) => void) => void;
  /** Gives what to answer. */
  readonly onMessage: (response: DeltaDiscoveryResponse) => DeltaDiscoveryRequest;
  /** ms of silence that end the stream, as of now; before the first message it is the time to connect. */
  readonly patience: (heard: boolean) => number;
}

/** Runs one ADS stream to its end; always rejects, with why it ended. Holds no socket afterwards. */
export async function runDeltaStream(options: StreamOptions): Promise<never> {
  const { address, security, signal } = options;
  const client = new AggregatedDiscoveryServiceClient(address, security.credentials, {
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 5_000,
    ...security.options,
    'grpc.max_receive_message_length': longestMessage,
    // A channel of its own, so that names are resolved anew and a dead connection is not picked up again.
    'grpc.use_local_subchannel_pool': 1,
  });
  const call = client.deltaAggregatedResources();
  const watch = new AbortController();
  const cancel = () => call.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  let heardAt = options.clock.monotonic();
  let heard = false;
  const send = (request: DeltaDiscoveryRequest) => {
    // A server that does not read our answers gets no further ear.
    if (!call.write(request) && heard) {
      call.pause();
      call.once('drain', () => call.resume());
    }
  };
  try {
    return await new Promise<never>((_resolve, reject) => {
      call.on('data', (response: DeltaDiscoveryResponse) => {
        heard = true;
        heardAt = options.clock.monotonic();
        send(options.onMessage(response));
      });
      call.on('error', (error: ServiceError) => reject(streamError(address, error)));
      call.on('end', () => reject(new MeshError('UPSTREAM_UNREACHABLE', `${address} ended the stream`, { retryable: true })));
      options.onOpen(send);
      silence(options, watch.signal, () => ({ heard, heardAt })).catch(reject);
    });
  } finally {
    signal.removeEventListener('abort', cancel);
    watch.abort();
    call.cancel();
    client.close();
  }
}

/** Rejects when nothing was heard for too long; resolves when stopped. */
async function silence(options: StreamOptions, stop: AbortSignal, last: () => { heard: boolean; heardAt: number }): Promise<void> {
  const { clock, address } = options;
  try {
    for (;;) {
      const { heard, heardAt } = last();
      const patience = options.patience(heard);
      const left = heardAt + patience - clock.monotonic();
      if (left <= 0) {
        const what = heard ? 'the stream stands but nothing has come' : 'no answer';
        throw new MeshError('DEADLINE_EXCEEDED', `${address}: ${what} for ${patience} ms; the connection is replaced`, { retryable: true });
      }
      await clock.sleep(left, stop);
    }
  } catch (error) {
    if (!isAborted(error)) throw error;
  }
}

const codes: Readonly<Partial<Record<grpcStatus, MeshErrorCode>>> = {
  [grpcStatus.UNAVAILABLE]: 'UPSTREAM_UNREACHABLE',
  [grpcStatus.UNAUTHENTICATED]: 'IDENTITY_INVALID',
  [grpcStatus.PERMISSION_DENIED]: 'PERMISSION_DENIED',
  [grpcStatus.RESOURCE_EXHAUSTED]: 'LIMIT_EXCEEDED',
  [grpcStatus.ABORTED]: 'FENCED',
  [grpcStatus.DEADLINE_EXCEEDED]: 'DEADLINE_EXCEEDED',
  [grpcStatus.CANCELLED]: 'ABORTED',
};

function streamError(address: string, error: ServiceError): MeshError {
  const code = codes[error.code] ?? 'PROTOCOL_ERROR';
  return new MeshError(code, `${address}: ${error.details === '' ? error.message : error.details}`, { retryable: true, cause: error });
}
