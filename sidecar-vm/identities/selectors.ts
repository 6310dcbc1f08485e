/**
 * Whose an identity is: a program for which each selector that is given holds, and of each any one of its values. None at all: everybody's.
 */
export interface Selectors {
  readonly uid: readonly number[];
  /** The group, or one of the supplementary groups. */
  readonly gid: readonly number[];
  /** Of the program's file. */
  readonly path: readonly string[];
  /** Of its content, lower-case hex. */
  readonly sha256: readonly string[];
}

export const noSelectors: Selectors = { uid: [], gid: [], path: [], sha256: [] };

/** What is known of a program that asks. A fact that could not be had is absent, and no selector that asks for it holds. */
export interface CallerFacts {
  readonly uid: number;
  readonly gids: readonly number[];
  readonly path?: string;
  readonly sha256?: string;
}

interface Selected {
  readonly name: string;
  readonly selectors: Selectors;
}

type Kind = keyof Selectors;

/** The more particular the heavier, so that an identity with more kinds of selectors, or with narrower ones, comes before another. */
const weights: Readonly<Record<Kind, number>> = { sha256: 8, path: 4, uid: 2, gid: 1 };
const kinds: readonly Kind[] = ['sha256', 'path', 'uid', 'gid'];

/**
 * The one identity of a program: of all whose selectors hold the most particular. None when there are two, as for a program that is in the groups of
 * both: which one it meant nobody can know, and either would be wrong for somebody.
 */
export function identityOf<T extends Selected>(all: readonly T[], facts: CallerFacts): T | undefined {
  const held = all.filter(({ selectors }) => holds(selectors, facts));
  const weight = Math.max(0, ...held.map(({ selectors }) => weightOf(selectors)));
  const best = held.filter(({ selectors }) => weightOf(selectors) === weight);
  return best.length === 1 ? best[0] : undefined;
}

/** `uid 1001,1002 path /usr/bin/app`, for people; empty: everybody's. */
export function selectorsText(selectors: Selectors): string {
  return [...kinds]
    .reverse()
    .flatMap((kind) => (selectors[kind].length === 0 ? [] : [`${kind} ${selectors[kind].join(',')}`]))
    .join(' ');
}

/** Pairs of identities that nobody could have: both have the same kinds of selectors, and a value of each in common. */
export function overlaps(all: readonly Selected[]): readonly (readonly [string, string])[] {
  return all.flatMap((one, at) =>
    all
      .slice(at + 1)
      .filter((other) => weightOf(one.selectors) === weightOf(other.selectors) && kinds.every((kind) => meet(one, other, kind)))
      .map((other) => [one.name, other.name] as const),
  );
}

/** Whether somebody has to look at the programs' files. */
export function asksForFile(all: readonly Selected[]): { readonly path: boolean; readonly sha256: boolean } {
  const sha256 = all.some(({ selectors }) => selectors.sha256.length > 0);
  return { path: sha256 || all.some(({ selectors }) => selectors.path.length > 0), sha256 };
}

function holds({ uid, gid, path, sha256 }: Selectors, facts: CallerFacts): boolean {
  return (
    (uid.length === 0 || uid.includes(facts.uid)) &&
    (gid.length === 0 || facts.gids.some((each) => gid.includes(each))) &&
    (path.length === 0 || (facts.path !== undefined && path.includes(facts.path))) &&
    (sha256.length === 0 || (facts.sha256 !== undefined && sha256.includes(facts.sha256)))
  );
}

function weightOf(selectors: Selectors): number {
  return kinds.reduce((sum, kind) => sum + (selectors[kind].length > 0 ? weights[kind] : 0), 0);
}

function meet(one: Selected, other: Selected, kind: Kind): boolean {
  const [a, b]: readonly [readonly unknown[], readonly unknown[]] = [one.selectors[kind], other.selectors[kind]];
  return a.length === 0 ? b.length === 0 : a.some((value) => b.includes(value));
}
