import { Etcd3, EtcdLeaseInvalidError, GRPCResourceExhastedError, GRPCUnavailableError, type IOptions } from 'etcd3';
import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import { MemberSkipped, memberPolicies } from './etcd-members.ts';

export interface EtcdStoreOptions {
  /** http(s)://HOST:PORT of the members. */
  readonly endpoints: readonly string[];
  /** Before every key, such as `isthmus/east/`. Clusters that share an etcd must have prefixes of which none begins another. */
  readonly prefix: string;
  /** PEM. With https endpoints and without `ca`, the system's roots. */
  readonly tls?: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
  readonly auth?: { readonly username: string; readonly password: string };
  readonly clock: Clock;
  /** For jitter, [0, 1). */
  readonly random: () => number;
}

const callTimeoutMs = 10_000;

type Policy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>;

// The client's own policies repeat calls, writes included: one whose reply was lost would be applied, repeated, and then
// be reported as refused. Who repeats what is decided here instead.
const once = { execute: (work: (context: object) => unknown) => Promise.resolve().then(() => work({})) } as unknown as Policy;

export function connect(options: EtcdStoreOptions): Etcd3 {
  const { tls, auth } = options;
  return new Etcd3({
    hosts: [...options.endpoints],
    ...(tls?.ca === undefined
      ? {}
      : {
          credentials: {
            rootCertificate: tls.ca,
            ...(tls.key === undefined || tls.cert === undefined ? {} : { privateKey: tls.key, certChain: tls.cert }),
          },
        }),
    ...(auth === undefined ? {} : { auth }),
    defaultCallOptions: (context) => (context.isStream ? {} : { deadline: options.clock.now() + callTimeoutMs }),
    faultHandling: { global: once, host: memberPolicies(options.endpoints.length, () => options.clock.now()) as unknown as () => Policy },
    grpcOptions: {
      'grpc.max_receive_message_length': -1,
      // Finds a member that has gone without a word.
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 5_000,
      'grpc.initial_reconnect_backoff_ms': 200,
      'grpc.max_reconnect_backoff_ms': 5_000,
      'grpc.enable_http_proxy': 0,
      'grpc.enable_retries': 0,
    },
  });
}

/** Repeats what is safe to repeat: reads, or writes of which it is certain that they were never sent. */
export async function withFailover<T>(endpoints: number, repeatable: boolean, call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      const safe = error instanceof MemberSkipped || (error instanceof GRPCUnavailableError && (repeatable || neverSent(error)));
      // Each attempt goes to another member (etcd-members.ts): with as many attempts as members, and one, all have been asked.
      if (!safe || attempt > endpoints) throw error;
    }
  }
}

function neverSent(error: Error): boolean {
  return /No connection established|ECONNREFUSED|Name resolution failed/.test(error.message);
}

export function etcdError(options: EtcdStoreOptions, error: unknown): MeshError {
  if (error instanceof MeshError) return error;
  const text = (error as { message?: string }).message ?? String(error);
  if (error instanceof EtcdLeaseInvalidError) {
    return new MeshError('FENCED', 'the lease has expired: grant a new one and check who holds its keys now', { cause: error });
  }
  if (/required revision has been compacted/.test(text)) return compacted('etcd has compacted that history: list again', error);
  if (/request is too large/.test(text)) return new MeshError('LIMIT_EXCEEDED', `etcd: ${text}`, { cause: error });
  const where = `etcd at ${options.endpoints.join(', ')}`;
  if (/authentication failed|permission denied|PermissionDenied|user name is empty/i.test(text)) {
    return unavailable(
      `${where} refused the credential: ${text}; check user, password, certificate, and its rights on ${options.prefix}`,
      error,
      false,
    );
  }
  const full = error instanceof GRPCResourceExhastedError && /space exceeded/.test(text);
  const next = full ? 'compact and defragment it, then disarm its NOSPACE alarm' : 'check that it runs, has a leader and can be reached';
  return unavailable(`${where}: ${text}; ${next}`, error, true);
}

export function compacted(message: string, cause?: unknown): MeshError {
  return new MeshError('COMPACTED', message, { cause });
}

export function unavailable(message: string, cause: unknown, retryable: boolean): MeshError {
  return new MeshError('STORE_UNAVAILABLE', message, { retryable, cause });
}
