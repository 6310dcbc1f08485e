import { shiftSubset } from '../../core/config/index.ts';
import { gatewaySubsetOf, parseSniName, type ServiceTarget, sniName, terminatedSubset } from '../../core/model/index.ts';
import type { SniRule } from './contract.ts';

/**
 * By the exact name; else, of a user's subset that has no name of its own here, the service it is a subset of. So too of a side of a
 * shift while this gateway knows of neither: callers may hear of it before, and of its end after.
 */
export function findSniRule(rules: ReadonlyMap<string, SniRule>, sni: string): SniRule | undefined {
  const exact = rules.get(sni);
  if (exact !== undefined || sni === '') return exact;
  const target = parseSniName(sni);
  const unknown = target === undefined ? undefined : ofUnknownShift(rules, target);
  if (unknown !== undefined) return unknown;
  // What asks a gateway to be the mTLS end is never for an end of its own.
  if (target === undefined || target.subset === '' || terminatedSubset(target.subset) !== undefined) return undefined;
  const whole = rules.get(sniName({ ...target, subset: '' }));
  return whole?.mode === 'terminate' && whole.anySubset === true ? whole : undefined;
}

const sides: readonly string[] = Object.values(shiftSubset);

function ofUnknownShift(rules: ReadonlyMap<string, SniRule>, target: ServiceTarget): SniRule | undefined {
  const ended = terminatedSubset(target.subset);
  if (!sides.includes(ended ?? target.subset)) return undefined;
  const as = (subset: string) => rules.get(sniName({ ...target, subset: ended === undefined ? subset : gatewaySubsetOf(subset) }));
  return sides.some((side) => as(side) !== undefined) ? undefined : as('');
}
