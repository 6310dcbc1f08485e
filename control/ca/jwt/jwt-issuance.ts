import { randomUUID } from 'node:crypto';
import type { Clock } from '../../../core/clock.ts';
import { MeshError } from '../../../core/errors.ts';
import { audienceFault, lifetimeLimits, type SignedJwtSvid, signJwtSvid } from '../../../core/jwt/index.ts';
import type { Log } from '../../../core/log.ts';
import { formatSpiffeId } from '../../../core/model/index.ts';
import type { RefusalReason, Refusals } from '../../telemetry/index.ts';
import type { Attestor } from '../attestor/contract.ts';
import type { Ledger } from '../ledger.ts';
import { type SvidHolder, standingGrant } from '../standing-grant.ts';
import type { JwtKeyRing } from './jwt-key-ring.ts';
import { SignPace } from './sign-pace.ts';

export interface JwtIssuanceOptions {
  readonly cluster: string;
  readonly trustDomain: string;
  readonly keys: Pick<JwtKeyRing, 'signing'>;
  readonly ledger: Ledger;
  /** Gone through anew at each request, so that they may change. */
  readonly attestors: Iterable<Attestor>;
  readonly clock: Clock;
  readonly log: Log;
  readonly refusals: Refusals;
  /** After each token. */
  readonly onSigned?: () => void;
}

export interface JwtRequest {
  readonly audiences: readonly string[];
  /** 0: 5 min. */
  readonly ttlMs: number;
}

/**
 * From an SVID to a JWT-SVID of the same identity. Refusals are MeshErrors whose message may be sent: CONFIG_INVALID for bad audiences or lifetimes,
 * IDENTITY_INVALID where the grant is gone, or (retryable) no key signs, LIMIT_EXCEEDED. Tokens are in no log; their jti is.
 */
export class JwtIssuance {
  readonly #options: JwtIssuanceOptions;
  readonly #pace: SignPace;

  constructor(options: JwtIssuanceOptions) {
    this.#options = options;
    this.#pace = new SignPace(options.clock);
  }

  async sign(caller: SvidHolder & { readonly svidNotAfter: number }, { audiences, ttlMs }: JwtRequest): Promise<SignedJwtSvid> {
    const { cluster, clock, keys, log, refusals, onSigned } = this.#options;
    const subject = formatSpiffeId(caller.spiffeId);
    const about = { spiffeId: subject, serial: caller.serial };
    const refuse = (reason: RefusalReason, detail: string) => refusals.refuse('jwt-svid', reason, detail, about);
    if (!this.#pace.take(caller.serial)) {
      refuse('limited', 'asks too often');
      throw new MeshError('LIMIT_EXCEEDED', 'too many tokens at once: keep them until half of their life', { retryable: true });
    }
    const fault = audienceFault(audiences) ?? lifetimeFault(ttlMs);
    if (fault !== undefined) {
      refuse('malformed', fault);
      throw new MeshError('CONFIG_INVALID', fault);
    }
    const { grant } = await standingGrant(this.#options, caller, 'no token is signed on this SVID: attest again', refuse);
    const key = keys.signing();
    if (key === undefined)
      throw new MeshError('IDENTITY_INVALID', 'no key for JWT-SVIDs is in its time: see the log of the control plane', { retryable: true });
    const now = clock.now();
    const expiresAt = Math.min(now + (ttlMs === 0 ? lifetimeLimits.usual : ttlMs), caller.svidNotAfter, key.notAfter);
    if (expiresAt - now < lifetimeLimits.least)
      throw new MeshError('IDENTITY_INVALID', 'the SVID ends within a second: renew it first', { retryable: true });
    const id = randomUUID();
    const signed = signJwtSvid(key.key, key.keyId, { subject, audiences, cluster, issuedAt: now, expiresAt, id });
    log.info({ ...about, instance: grant.instance, jti: id, audiences, keyId: key.keyId, expiresAt: signed.expiresAt }, 'JWT-SVID signed');
    onSigned?.();
    return signed;
  }
}

function lifetimeFault(ttlMs: number): string | undefined {
  const { least, most } = lifetimeLimits;
  if (ttlMs === 0 || (ttlMs >= least && ttlMs <= most)) return undefined;
  return `the lifetime must be between ${least} and ${most} ms; 0 for ${lifetimeLimits.usual}`;
}
