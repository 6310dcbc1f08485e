import { isDeepStrictEqual } from 'node:util';
import type { Outcome } from './outcome.ts';
import type { Outcomes } from './play.ts';

/** Cases in which Envoy does something else than our own proxies, and why that is left so. docs/envoy-differences.md tells the same. */
export interface Difference {
  /** Names of cases without their way, or with it where only one differs. */
  readonly cases: readonly string[];
  readonly reason: string;
  /** Envoy's kernel decides whether it is seen (a reset that may overtake what was sent before it): that the two agree once proves nothing. */
  readonly mayAgree?: true;
}

export interface Disagreement {
  readonly name: string;
  readonly isthmus: Outcome | undefined;
  readonly envoy: Outcome | undefined;
}

export function disagreements(isthmus: Outcomes, envoy: Outcomes): readonly Disagreement[] {
  const names = new Set([...Object.keys(isthmus), ...Object.keys(envoy)]);
  return [...names]
    .filter((name) => !isDeepStrictEqual(isthmus[name], envoy[name]))
    .map((name) => ({ name, isthmus: isthmus[name], envoy: envoy[name] }));
}

export function isListed(name: string, list: readonly Difference[]): boolean {
  return list.some(({ cases }) => cases.some((each) => each === name || each === name.slice(name.indexOf(': ') + 2)));
}

/** Entries of the list that name a case in which the two agree, or none at all. */
export function settled(list: readonly Difference[], found: readonly Disagreement[]): readonly string[] {
  const differs = (entry: string) => found.some(({ name }) => name === entry || name.slice(name.indexOf(': ') + 2) === entry);
  return list.filter(({ mayAgree }) => mayAgree !== true).flatMap(({ cases }) => cases.filter((entry) => !differs(entry)));
}
