import { type ConnectionOptions, connect, type PeerCertificate } from 'node:tls';
import {
  ChannelCredentials,
  type ChannelOptions,
  connectivityState,
  status as grpcStatus,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { MeshError, type MeshErrorCode } from '../../core/errors.ts';
import { attestChannel, controlSpiffeId, serverFault } from '../../core/identity/index.ts';
import { clusterSan } from '../../core/model/index.ts';
import { bundleOf, certificatesToPem } from '../../core/pki/index.ts';
import { peering } from '../../core/xds/index.ts';
import { sha256 } from './join-proof.ts';

const deadlineMs = 10_000;

/** One TLS connection for one exchange of joining, and what its server presented. */
export interface JoinChannel {
  readonly client: peering.PeerJoinClient;
  /** SHA-256 of the server's certificate. */
  readonly serverHash: () => Buffer;
  close(): void;
}

export interface ServerToTrust {
  readonly trustDomain: string;
  readonly cluster: string;
  /** DER. */
  readonly root: Buffer;
}

/**
 * To the inviter: it must be the control plane of that cluster under the invitation's root. MeshError PEER_UNREACHABLE (retryable) when
 * nobody answers there, IDENTITY_INVALID when somebody else does.
 */
export async function channelToInviter(address: string, server: ServerToTrust, now: () => number): Promise<JoinChannel> {
  const bundle = bundleOf(server.trustDomain, [server.root]);
  const demanded = { uriSans: [controlSpiffeId(server.trustDomain)], clusterSan: clusterSan(server.cluster, server.trustDomain) };
  const { options } = attestChannel(bundle, { cluster: server.cluster, now });
  let presented: Buffer | undefined;
  const roots = Buffer.from(certificatesToPem(bundle.roots));
  const fault = (certificate: PeerCertificate) => serverFault(certificate, bundle, now(), demanded);
  const credentials = ChannelCredentials.createSsl(roots, null, null, {
    checkServerIdentity: (_host, certificate) => {
      presented = certificate.raw;
      return fault(certificate);
    },
  });
  try {
    return await open(address, credentials, options, () => presented);
  } catch (error) {
    // grpc-js does not say why a connection failed: who answers is asked once more, for the message alone.
    const who = await lookAt(address, { ca: roots, checkServerIdentity: (_host, certificate) => fault(certificate) });
    if (who.fault === undefined) throw error;
    throw new MeshError('IDENTITY_INVALID', `${address} is not the control plane that the invitation names: ${who.fault}`, {
      cause: error,
    });
  }
}

/**
 * To a joiner that has no identity yet, or one under `roots`: whatever certificate it presents now is pinned for the whole exchange;
 * the HMACs prove it.
 */
export async function channelToJoiner(address: string, roots: readonly Uint8Array[]): Promise<JoinChannel> {
  const { certificate: pinned } = await lookAt(address);
  const { options } = attestChannel(bundleOf('unused.test', []), { now: () => 0 });
  const credentials = ChannelCredentials.createSsl(Buffer.from(certificatesToPem([pinned, ...roots])), null, null, {
    checkServerIdentity: (_host, certificate) =>
      certificate.raw.equals(pinned) ? undefined : new Error('the joiner presents another certificate'),
  });
  return open(address, credentials, options, () => pinned);
}

/** One call with a deadline; MeshError for whatever goes wrong. */
export function call<T>(
  invoke: (metadata: Metadata, options: { deadline: number }, done: (error: ServiceError | null, reply: T) => void) => unknown,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const done = (error: ServiceError | null, reply: T) => (error === null ? resolve(reply) : reject(joinError(error)));
    invoke(new Metadata(), { deadline: Date.now() + deadlineMs }, done);
  });
}

async function open(
  address: string,
  credentials: ChannelCredentials,
  options: ChannelOptions,
  presented: () => Buffer | undefined,
): Promise<JoinChannel> {
  const client = new peering.PeerJoinClient(address, credentials, { ...options, 'grpc.use_local_subchannel_pool': 1 });
  await ready(client, Date.now() + deadlineMs).catch((error: unknown) => {
    client.close();
    throw new MeshError('PEER_UNREACHABLE', `${address} was not reached`, {
      retryable: true,
      cause: error,
    });
  });
  const serverHash = () => {
    const certificate = presented();
    if (certificate === undefined) throw new MeshError('INTERNAL', 'a TLS server without a certificate');
    return sha256(certificate);
  };
  return { client, serverHash, close: () => client.close() };
}

/** As waitForReady, but a first failure is one: what was refused is not tried until the deadline. */
function ready(client: peering.PeerJoinClient, deadline: number): Promise<void> {
  const channel = client.getChannel();
  return new Promise((resolve, reject) => {
    const look = (error?: Error) => {
      const state = channel.getConnectivityState(true);
      if (error !== undefined || state === connectivityState.TRANSIENT_FAILURE || state === connectivityState.SHUTDOWN) {
        reject(error ?? new Error('the connection was refused, or its certificate'));
      } else if (state === connectivityState.READY) resolve();
      else channel.watchConnectivityState(state, deadline, look);
    };
    look();
  });
}

/** What a server presents, believed or not, and what is wrong with it by `trust`. MeshError PEER_UNREACHABLE (retryable). */
function lookAt(address: string, trust: ConnectionOptions = {}): Promise<{ certificate: Buffer; fault?: string }> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    const unreachable = (why: string) => {
      socket.destroy();
      reject(new MeshError('PEER_UNREACHABLE', `${address} was not reached: ${why}`, { retryable: true }));
    };
    const socket = connect({
      ...trust,
      host,
      port: Number(address.slice(colon + 1)),
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
      servername: 'control.isthmus',
    });
    socket.setTimeout(deadlineMs, () => unreachable('no TLS handshake in time'));
    socket.on('error', (error) => unreachable(error.message));
    socket.once('secureConnect', () => {
      const raw = socket.getPeerCertificate()?.raw as Buffer | undefined;
      if (raw === undefined) return unreachable('no certificate');
      // Of Error's type in the declarations; a code, or a message, in fact.
      const fault = socket.authorized ? {} : { fault: String(socket.authorizationError) };
      socket.destroy();
      return resolve({ certificate: Buffer.from(raw), ...fault });
    });
  });
}

const codes: Readonly<Partial<Record<grpcStatus, MeshErrorCode>>> = {
  [grpcStatus.UNAUTHENTICATED]: 'IDENTITY_INVALID',
  [grpcStatus.PERMISSION_DENIED]: 'PERMISSION_DENIED',
  [grpcStatus.INVALID_ARGUMENT]: 'PROTOCOL_ERROR',
  [grpcStatus.RESOURCE_EXHAUSTED]: 'LIMIT_EXCEEDED',
  [grpcStatus.NOT_FOUND]: 'NOT_FOUND',
};

function joinError(error: ServiceError): MeshError {
  const code = codes[error.code];
  const options = { retryable: code === undefined, cause: error };
  return new MeshError(code ?? 'PEER_UNREACHABLE', error.details === '' ? error.message : error.details, options);
}
