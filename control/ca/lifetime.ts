import { accept, type Checked, reject } from '../../core/validate.ts';

const hour = 3_600_000;
const longestMs = 7 * 24 * hour;

/** 1 h to 7 d; from 1 s where the trust domain ends in `.test`, because tests must see renewals. */
export function checkSvidTtl(ttlMs: number, trustDomain: string): Checked<number> {
  const shortest = trustDomain === 'test' || trustDomain.endsWith('.test') ? 1_000 : hour;
  if (Number.isFinite(ttlMs) && ttlMs >= shortest && ttlMs <= longestMs) return accept(ttlMs);
  return reject([{ path: 'identity.svidTtl', message: `must be between ${shortest / 1000} s and 7 days in trust domain ${trustDomain}` }]);
}
