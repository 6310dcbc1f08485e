import type { Revocation, RevocationStatus, RevokeRequest } from '../../core/admin/index.ts';
import type { Changed } from './changed.ts';

/** What the API can ask about identities that are taken back. */
export interface RevocationsApi {
  /** Namespaces of the identities that a request is about; empty: there are none. */
  namespaces(request: RevokeRequest): Promise<readonly string[]>;
  /** CONFIG_INVALID unless exactly one thing is named; NOT_FOUND, CONFLICT. */
  revoke(request: RevokeRequest): Promise<Changed<Revocation>>;
  status(): Promise<RevocationStatus>;
}
