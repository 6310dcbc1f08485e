import type { AuthorityStatus, Instance } from '../../core/admin/index.ts';

/** Renewal begins at 40 to 50 % of the life: with so much left of it, as a share, a first attempt and more have failed. */
const lateShare = 0.45;

/**
 * Whose SVID should have been renewed by now, those that end first in front. `svidTtlMs`: as SVIDs are issued now; who holds one of a shorter life, from
 * before that was changed, is told of until it has renewed. Pure.
 */
export function lateRenewals(instances: readonly Instance[], svidTtlMs: number, now: number): AuthorityStatus['late'] {
  return instances
    .flatMap(({ id, spiffeId, stage, generation, notAfter }) => {
      if (notAfter === undefined || stage === 'revoked') return [];
      const left = Date.parse(notAfter) - now;
      if (left >= svidTtlMs * lateShare) return [];
      const silent = stage === 'expired' || generation === 0;
      return [{ instance: id, identity: spiffeId, notAfter, ended: left <= 0, silent }];
    })
    .sort((a, b) => Date.parse(a.notAfter) - Date.parse(b.notAfter));
}
