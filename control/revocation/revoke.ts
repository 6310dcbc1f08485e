import { MeshError } from '../../core/errors.ts';
import type { Store } from '../../core/store.ts';
import { instanceKey } from '../../registries/vm/index.ts';
import { type Grant, grantsOfToken, type Ledger, openTokensOf, revokeToken, shutOut } from '../ca/index.ts';
import type { Instances } from '../registration/index.ts';

export interface RevocationParts {
  readonly store: Store;
  readonly ledger: Ledger;
  readonly instances: Instances;
  /** Unix ms. */
  readonly now: number;
}

/** What is meant: an instance or a serial, or a join token by its id. */
export type RevocationTarget = { readonly target: string } | { readonly token: string };

export interface Revoked {
  readonly grants: readonly Grant[];
  /** Of its SVIDs that are still in their time, lower-case hex, sorted. */
  readonly serials: readonly string[];
  readonly registrations: number;
  /** Nothing of it was still in force. */
  readonly already: boolean;
  /** Unix ms; 0: nothing of it is in its time any more. */
  readonly lastNotAfter: number;
  readonly openTokens: readonly string[];
}

/**
 * The grants that are meant, revoked ones too. NOT_FOUND when there are none, CONFLICT when instances of several identities have that
 * name.
 */
export async function grantsMeant(
  meant: RevocationTarget,
  { store, ledger }: Pick<RevocationParts, 'store' | 'ledger'>,
): Promise<readonly Grant[]> {
  const all = await ledger.grants();
  if ('token' in meant) {
    const ids = await grantsOfToken(store, meant.token);
    if (ids === undefined) throw new MeshError('NOT_FOUND', `there is no join token ${meant.token}`);
    return all.filter((grant) => ids.includes(grant.id));
  }
  const { target } = meant;
  const named = all.filter((grant) => grant.instance === target || nameOf(grant) === target);
  const names = [...new Set(named.map(nameOf))].sort();
  if (names.length > 1) throw new MeshError('CONFLICT', `several instances are called ${target}: say which, as one of ${names.join(', ')}`);
  if (named.length > 0) return named;
  const issued = await ledger.issuedOn(target.replaceAll(':', '').toLowerCase());
  if (issued !== undefined) return [issued];
  throw new MeshError('NOT_FOUND', `nobody attested as ${target}, and no SVID of that serial was issued here: see isthmus vm list`);
}

const registrationOf = ({ claims, instance }: Grant) =>
  instanceKey({ role: claims.role, namespace: claims.namespace, serviceAccount: claims.serviceAccount, instance });

const nameOf = ({ claims, instance }: Grant) => `${claims.namespace}/${claims.serviceAccount}/${instance}`;

/**
 * Takes back what was granted: in this order, so that what is cut off at any point leaves nothing that can renew or register. Endpoints
 * go at once; verifiers hear of the serials by what they are told to trust. Idempotent, also after a crash halfway. With `dryRun` nothing is
 * changed. Rejects as `grantsMeant`, and with STORE_UNAVAILABLE.
 */
export async function revoke(meant: RevocationTarget, parts: RevocationParts, dryRun: boolean): Promise<Revoked> {
  const { store, ledger, instances, now } = parts;
  const grants = await grantsMeant(meant, parts);
  const ids = grants.map((grant) => grant.id);
  const serials = await ledger.serialsOf(ids, now);
  const registered = (await instances.list()).filter(({ record }) => ids.includes(record.grant));
  if (!dryRun) {
    if ('token' in meant) await revokeToken(store, ledger, meant.token, now);
    for (const grant of grants) {
      await shutOut(store, grant);
      await ledger.revokeGrant(grant.id, now);
    }
    await instances.removeOfGrants(ids);
    const alive = new Set((await ledger.grants()).filter((grant) => !grant.revoked).map(nameOf));
    await instances.forgetStarts(grants.filter((grant) => !alive.has(nameOf(grant))).map(registrationOf));
  }
  return {
    grants,
    serials,
    registrations: registered.length,
    already: grants.every((grant) => grant.revoked) && registered.length === 0,
    lastNotAfter: serials.length === 0 ? 0 : Math.max(...grants.map((grant) => grant.lastNotAfter)),
    openTokens: 'token' in meant ? [] : await openTokensOf(store, grants, now),
  };
}
