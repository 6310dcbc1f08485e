import { MeshError } from '../../core/errors.ts';
import { formatSpiffeId, type SpiffeId } from '../../core/model/index.ts';
import type { RefusalReason } from '../telemetry/index.ts';
import type { AttestationVerdict, Attestor, Grant } from './attestor/contract.ts';
import type { Ledger } from './ledger.ts';
import type { Stored } from './record.ts';

/** Who asks, as its SVID proved. */
export interface SvidHolder {
  readonly spiffeId: SpiffeId;
  readonly serial: string;
}

export interface GrantSources {
  readonly ledger: Ledger;
  readonly attestors: Iterable<Attestor>;
  readonly trustDomain: string;
}

export interface StandingGrant {
  readonly grant: Grant;
  /** The same as it was read just now; absent where the attestor has changed it since. */
  readonly stored?: Stored<Grant> | undefined;
}

/**
 * The grant that the caller's SVID goes back to, as its attestor judges it now. MeshErrors whose message may be sent: IDENTITY_INVALID with `gone` where
 * there is none (any more), and as the attestor refuses. Why is said to `refuse` alone.
 */
export async function standingGrant(
  { ledger, attestors, trustDomain }: GrantSources,
  caller: SvidHolder,
  gone: string,
  refuse: (reason: RefusalReason, detail: string) => void,
): Promise<StandingGrant> {
  const stored = await ledger.storedGrantOfSerial(caller.serial);
  const grant = stored?.value;
  if (grant === undefined || formatSpiffeId(idOf(grant, trustDomain)) !== formatSpiffeId(caller.spiffeId)) {
    refuse('not-issued-here', 'not issued here, or revoked');
    throw new MeshError('IDENTITY_INVALID', gone);
  }
  const attestor = [...attestors].find((each) => each.name === grant.attestor);
  if (attestor === undefined) {
    refuse('unknown-attestor', `the grant is of ${grant.attestor}, which is not configured any more`);
    throw new MeshError('IDENTITY_INVALID', gone);
  }
  const again = (await attestor.judgeAgain?.(grant)) ?? { ok: true, grant };
  if (again.ok) return again.grant === grant ? { grant, stored } : { grant: again.grant };
  refuse(again.why, again.reason);
  throw refusalOf(again);
}

export function idOf({ claims: { namespace, serviceAccount } }: Grant, trustDomain: string): SpiffeId {
  return { trustDomain, namespace, serviceAccount };
}

/** What may be said to whoever asked. */
export function refusalOf({ kind }: Extract<AttestationVerdict, { ok: false }>): MeshError {
  switch (kind) {
    case 'limited':
      return new MeshError('LIMIT_EXCEEDED', 'too many at once: try again', { retryable: true });
    case 'unavailable':
      return new MeshError('IDENTITY_INVALID', 'the proof cannot be judged now: try again', { retryable: true });
    case 'forbidden':
      return new MeshError('PERMISSION_DENIED', 'the proof is not for this identity, instance or address');
    case 'unproven':
      return new MeshError('IDENTITY_INVALID', 'the proof does not hold: it may be expired, used, revoked or wrong');
  }
}
