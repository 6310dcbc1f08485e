import type { Clock } from '../../core/clock.ts';
import { MeshError, toMeshError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { formatSpiffeId } from '../../core/model/index.ts';
import type {
  AttestRequest,
  IdentityServer,
  RenewRequest,
  SignJwtReply,
  SignJwtRequest,
  SvidReply,
} from '../../core/xds/gen/isthmus/agent/v1/agent.ts';
import type { Authority, Issuance, IssuedSvid, JwtIssuance } from '../ca/index.ts';
import { createRefusals, type Refusals } from '../telemetry/index.ts';
import { AttemptLimiter } from './attempt-limiter.ts';
import { type Caller, type CallLike, sourceOf } from './callers.ts';
import { toStatus } from './status.ts';

export interface IdentityServiceOptions {
  readonly issuance: Issuance;
  readonly authority: Authority;
  /** Absent: it signs no JWT-SVIDs. */
  readonly jwt?: JwtIssuance;
  readonly callerOf: (call: CallLike) => Caller | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Default: logged alone. */
  readonly refusals?: Refusals;
}

/** The Identity service: `front.addService(IdentityService, identityServer(...))`. */
export function identityServer(options: IdentityServiceOptions): IdentityServer {
  const { issuance, authority, jwt, callerOf, clock, log } = options;
  const refusals = options.refusals ?? createRefusals(log, undefined, clock);
  const limiter = new AttemptLimiter(clock);

  const reply = ({ chain, spiffeId }: IssuedSvid): SvidReply => ({
    chain: [...chain],
    roots: authority.bundle().roots.map((root) => Buffer.from(root)),
    spiffeId: formatSpiffeId(spiffeId),
    trustDomain: authority.trustDomain,
    cluster: authority.cluster,
    serverTimeMs: Math.round(clock.now()),
  });

  const attest = async (request: AttestRequest, source: string): Promise<SvidReply> => {
    if (!limiter.mayTry(source)) {
      refusals.refuse('attestation', 'limited', 'too many refused attempts from this source', { source });
      throw new MeshError('LIMIT_EXCEEDED', 'too many refused attempts from this address: wait a minute', { retryable: true });
    }
    try {
      return reply(await issuance.attest({ ...request, source }));
    } catch (error) {
      const { code, retryable } = toMeshError(error);
      if (!retryable && (code === 'IDENTITY_INVALID' || code === 'PERMISSION_DENIED')) limiter.refused(source);
      throw error;
    }
  };

  const renew = async (request: RenewRequest, caller: Caller | undefined, source: string): Promise<SvidReply> => {
    if (caller === undefined) {
      refusals.refuse('renewal', 'no-certificate', 'without an SVID, or with one that has ended or was denied since', { source });
      throw new MeshError('IDENTITY_INVALID', 'renewal needs the SVID that is to be renewed');
    }
    return reply(await issuance.renew(caller, request.csr));
  };

  const signJwt = async (request: SignJwtRequest, caller: Caller | undefined, source: string): Promise<SignJwtReply> => {
    if (jwt === undefined) throw new MeshError('IDENTITY_INVALID', 'no JWT-SVIDs are signed here');
    if (caller === undefined) {
      refusals.refuse('jwt-svid', 'no-certificate', 'without an SVID, or with one that has ended or was denied since', { source });
      throw new MeshError('IDENTITY_INVALID', 'a JWT-SVID needs the SVID whose identity it is to have');
    }
    const { token, expiresAt } = await jwt.sign(caller, request);
    return { token, expiresAtMs: expiresAt, serverTimeMs: Math.round(clock.now()) };
  };

  return {
    attest(call, callback) {
      attest(call.request, sourceOf(call)).then(
        (value) => callback(null, value),
        (error: unknown) => callback(toStatus(error, log)),
      );
    },
    signJwt(call, callback) {
      signJwt(call.request, callerOf(call), sourceOf(call)).then(
        (value) => callback(null, value),
        (error: unknown) => callback(toStatus(error, log)),
      );
    },
    renew(call, callback) {
      renew(call.request, callerOf(call), sourceOf(call)).then(
        (value) => callback(null, value),
        (error: unknown) => callback(toStatus(error, log)),
      );
    },
  };
}
