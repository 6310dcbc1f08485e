import { parseSniName, sniName, terminatedSubset } from '../../core/model/index.ts';
import type { SniRule } from './contract.ts';

/** By the exact name; else, of a user's subset that has no name of its own here, the service it is a subset of. */
export function findSniRule(rules: ReadonlyMap<string, SniRule>, sni: string): SniRule | undefined {
  const exact = rules.get(sni);
  if (exact !== undefined || sni === '') return exact;
  const target = parseSniName(sni);
  // What asks a gateway to be the mTLS end is never for an end of its own.
  if (target === undefined || target.subset === '' || terminatedSubset(target.subset) !== undefined) return undefined;
  const whole = rules.get(sniName({ ...target, subset: '' }));
  return whole?.mode === 'terminate' && whole.anySubset === true ? whole : undefined;
}
