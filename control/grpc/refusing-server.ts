import type { TLSSocket } from 'node:tls';
import {
  type ConnectionInjector,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  StatusBuilder,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { PeerVerdict, TrustBundle } from '../../core/pki/index.ts';

/** Enough to ask, be told, and read it; a client that goes on after that dials anew, at its own pace. */
export const refusedConnectionMs = 10_000;
/** Of an agent: registration, ADS, counts, renewal, and what its programs ask for. */
const streams = 8;
/** The largest that is read before it is answered is a certificate request. */
const messageBytes = 64 * 1024;

const refusal = new StatusBuilder()
  .withCode(status.PERMISSION_DENIED)
  .withDetails('this SVID was revoked: if that was a mistake, make a new token (isthmus vm token) and join again with it (isthmus vm join)')
  .build();

/** Judges one peer against a bundle. */
type Judge = (bundle: TrustBundle) => PeerVerdict;

const withoutDenials = new WeakMap<TrustBundle, TrustBundle>();

/** The serial of a peer whose certificate holds but for that it was taken back; undefined for one that does not hold for another reason. */
export function revokedSerial(bundle: TrustBundle, judge: Judge): string | undefined {
  if (bundle.deniedSerials.length === 0) return undefined;
  // Kept, as what is made of a bundle for verifying is kept with it.
  const forgiving = withoutDenials.get(bundle) ?? { ...bundle, deniedSerials: [] };
  withoutDenials.set(bundle, forgiving);
  const verdict = judge(forgiving);
  return verdict.ok && bundle.deniedSerials.includes(verdict.serial) ? verdict.serial : undefined;
}

/**
 * Tells callers whose SVID was revoked that it was: every method of the listener's services answers PERMISSION_DENIED, before anything of
 * the request is looked at. It shares nothing with the server that serves, so that nothing said here is ever acted on.
 */
export class RefusingServer {
  readonly #server: Server;
  readonly #injector: ConnectionInjector;

  constructor(services: Iterable<ServiceDefinition>) {
    this.#server = new Server({
      'grpc.max_receive_message_length': messageBytes,
      'grpc.max_concurrent_streams': streams,
      'grpc.enable_channelz': 0,
    });
    for (const definition of services) this.#server.addService(definition, refusing(definition));
    this.#injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
  }

  /** Takes the socket over; when it ends is for the caller to say. */
  take(socket: TLSSocket): void {
    this.#injector.injectConnection(socket);
  }

  dispose(): void {
    this.#injector.destroy();
    this.#server.forceShutdown();
  }
}

function refusing(definition: ServiceDefinition): UntypedServiceImplementation {
  return Object.fromEntries(
    Object.entries(definition).map(([name, { responseStream }]) => [
      name,
      responseStream
        ? (call: NodeJS.EventEmitter) => void call.emit('error', refusal)
        : (_call: unknown, done: (error: typeof refusal) => void) => done(refusal),
    ]),
  );
}
