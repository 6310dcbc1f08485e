import type { AuthorityStatus, Instance } from '../../core/admin/index.ts';

type Late = AuthorityStatus['late'][number];

/** Renewal begins at 40 to 50 % of the life: with so much left of it, as a share, a first attempt and more have failed. */
const lateShare = 0.45;

/**
 * Whose SVID should have been renewed by now, those that end first in front. `svidTtlMs`: as SVIDs are issued now; who holds one of a shorter life, from
 * before that was changed, is told of until it has renewed. Pure.
 */
export function lateRenewals(instances: readonly Instance[], svidTtlMs: number, now: number): Late[] {
  return instances
    .flatMap(({ id, spiffeId, stage, generation, notAfter }): Late[] => {
      if (notAfter === undefined || stage === 'revoked') return [];
      const left = Date.parse(notAfter) - now;
      if (left >= svidTtlMs * lateShare) return [];
      const agent = generation === 0 ? 'unregistered' : stage === 'expired' ? 'silent' : 'heard';
      return [{ instance: id, identity: spiffeId, notAfter, ended: left <= 0, agent }];
    })
    .sort((a, b) => Date.parse(a.notAfter) - Date.parse(b.notAfter));
}
