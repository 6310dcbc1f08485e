import { type ServerUnaryCall, type ServerWritableStream, type sendUnaryData, status } from '@grpc/grpc-js';
import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import { audienceFault, verifyJwtSvid } from '../../core/jwt/index.ts';
import type { Log } from '../../core/log.ts';
import { formatSpiffeId } from '../../core/model/index.ts';
import {
  type JWTBundlesRequest,
  JWTBundlesResponse,
  type JWTSVIDRequest,
  type JWTSVIDResponse,
  type SpiffeWorkloadAPIServer,
  type ValidateJWTSVIDRequest,
  type ValidateJWTSVIDResponse,
} from '../../core/xds/gen/spiffe/workload/workload.ts';
import type { Admission } from './admission.ts';
import { ended } from './callers.ts';
import type { WorkloadIdentity, WorkloadTrust } from './contract.ts';
import { follow, type Refusal } from './follow.ts';
import { jwtBundlesResponse } from './jwt.ts';
import { JwtTokens } from './jwt-tokens.ts';

export interface JwtServiceOptions {
  readonly admission: Admission;
  /** Those that the admission may find. */
  readonly identities: readonly WorkloadIdentity[];
  readonly trust: WorkloadTrust;
  readonly clock: Clock;
  readonly log: Log;
  /** Of a call that was refused, with the reason for the counter. */
  readonly onRefused: (reason: string) => void;
}

type JwtPart = Pick<SpiffeWorkloadAPIServer, 'fetchJwtsvid' | 'fetchJwtBundles' | 'validateJwtsvid'>;

/** The JWT half of the SPIFFE Workload API. */
export function spiffeJwtService(options: JwtServiceOptions): JwtPart {
  const { admission, identities, trust, clock, log, onRefused } = options;
  const tokens = new Map(identities.map((each) => [each, new JwtTokens({ sign: each.signJwt, clock })]));

  const fetch = async (identity: WorkloadIdentity, request: JWTSVIDRequest): Promise<JWTSVIDResponse> => {
    const fault = audienceFault(request.audience);
    if (fault !== undefined) throw new Refused({ code: status.INVALID_ARGUMENT, details: fault }, 'bad-audience');
    const spiffeId = formatSpiffeId(identity.source.current().spiffeId);
    if (request.spiffeId !== '' && request.spiffeId !== spiffeId)
      throw new Refused({ code: status.PERMISSION_DENIED, details: `this program has no other identity than ${spiffeId}` }, 'wrong-name');
    const over = ended(identity, clock);
    if (over !== undefined) throw new Refused(over, 'ended');
    const svid = await tokens.get(identity)?.token(spiffeId, request.audience);
    return { svids: svid === undefined ? [] : [{ spiffeId, svid, hint: identity.hint }] };
  };

  const validate = async (_identity: WorkloadIdentity, request: ValidateJWTSVIDRequest): Promise<ValidateJWTSVIDResponse> => {
    if (request.audience === '')
      throw new Refused({ code: status.INVALID_ARGUMENT, details: 'an audience is required: your own' }, 'bad-audience');
    const verdict = verifyJwtSvid(request.svid, request.audience, trust.bundles(), clock.now());
    if (verdict.ok) return { spiffeId: verdict.spiffeId, claims: { ...verdict.claims } };
    log.info({ reason: verdict.why, detail: verdict.reason }, 'a JWT-SVID was refused');
    throw new Refused({ code: status.INVALID_ARGUMENT, details: verdict.reason }, `token-${verdict.why}`);
  };

  const answer = <Request, Reply>(work: (identity: WorkloadIdentity, request: Request) => Promise<Reply>) => {
    return (call: ServerUnaryCall<Request, Reply>, callback: sendUnaryData<Reply>): void => {
      const admitted = admission.admit(call);
      if ('refusal' in admitted) {
        callback(admitted.refusal);
        return;
      }
      work(admitted.identity, call.request)
        .then(
          (reply) => callback(null, reply),
          (error: unknown) => {
            const { refusal, reason } = refusalOf(error);
            onRefused(reason);
            if (!(error instanceof Refused)) log.warn({ error, identity: admitted.identity.name }, 'no JWT-SVID');
            callback(refusal);
          },
        )
        .finally(admitted.release);
    };
  };

  return {
    fetchJwtsvid: answer(fetch),
    validateJwtsvid: answer(validate),
    fetchJwtBundles(call: ServerWritableStream<JWTBundlesRequest, JWTBundlesResponse>) {
      const admitted = admission.admit(call);
      if ('refusal' in admitted) {
        call.emit('error', admitted.refusal);
        return;
      }
      follow(call, {
        compose: () => ({ message: jwtBundlesResponse(trust.bundles()) }),
        encode: (message) => JWTBundlesResponse.encode(message).finish(),
        subscribe: (listener) => trust.subscribe(listener),
        onEnd: admitted.release,
      });
    },
  };
}

class Refused extends Error {
  readonly refusal: Refusal;
  readonly reason: string;

  constructor(refusal: Refusal, reason: string) {
    super(refusal.details);
    this.refusal = refusal;
    this.reason = reason;
  }
}

/** What a program is told of what the control plane said. */
function refusalOf(error: unknown): { readonly refusal: Refusal; readonly reason: string } {
  if (error instanceof Refused) return error;
  const said = error instanceof MeshError ? error.message : 'see the log of the agent';
  const code = error instanceof MeshError ? error.code : undefined;
  const of = (grpc: status, details: string) => ({ refusal: { code: grpc, details }, reason: 'not-signed' });
  if (code === 'IDENTITY_INVALID' || code === 'PERMISSION_DENIED')
    return of(status.PERMISSION_DENIED, `the control plane signs no JWT-SVID for this identity: ${said}`);
  if (code === 'LIMIT_EXCEEDED') return of(status.RESOURCE_EXHAUSTED, said);
  return of(status.UNAVAILABLE, `no JWT-SVID now: ${said}`);
}
