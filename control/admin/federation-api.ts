import type { Federation, FederationBundle, FederationDomain } from '../../core/admin/index.ts';
import type { Changed } from './changed.ts';

/** What the API can ask of a federation. MeshError NOT_FOUND for a trust domain that is not federated. */
export interface FederationApi {
  list(): Promise<Federation>;
  bundle(): Promise<FederationBundle>;
  /** Looks for a newer bundle now; rejects with why it could not be had, and the last good one stays. */
  refresh(trustDomain: string): Promise<Changed<FederationDomain>>;
}
