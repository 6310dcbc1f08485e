import type { HttpMatch, NamedMatch, PathMatch, StringMatch } from '../../core/traffic/index.ts';
import type { ConditionedMatch } from './match-merge.ts';

/** Whether every request that fits `b` fits `a` too, as far as that can be seen: `false` proves nothing. */
export function covers(a: ConditionedMatch, b: ConditionedMatch): boolean {
  return (
    within(a.condition.ports, b.condition.ports) && within(a.condition.gateways, b.condition.gateways) && coversMatch(a.match, b.match)
  );
}

/** Empty is any. */
function within<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === 0 || (b.length > 0 && b.every((one) => a.includes(one)));
}

function coversMatch(a: HttpMatch, b: HttpMatch): boolean {
  return (
    coversPath(a, b) &&
    (['method', 'scheme', 'authority'] as const).every((field) => coversText(a[field], b[field])) &&
    coversNamed(a.headers, b.headers) &&
    coversNamed(a.query, b.query) &&
    Object.entries(a.sourceLabels).every(([key, value]) => b.sourceLabels[key] === value) &&
    (a.sourceNamespace === undefined || a.sourceNamespace === b.sourceNamespace)
  );
}

function coversPath({ path: a, ignoreCase }: HttpMatch, { path: b, ignoreCase: same }: HttpMatch): boolean {
  if (a === undefined || (a.type === 'regex' ? isAnyPath(a.value) : a.type !== 'exact' && a.value === '/')) return true;
  if (b === undefined) return false;
  const fold = (p: PathMatch): PathMatch => ((ignoreCase ?? false) ? { ...p, value: p.value.toLowerCase() } : p);
  if ((same ?? false) && !(ignoreCase ?? false)) return false;
  return coversPathText(fold(a), fold(b));
}

/** Regular expressions are over the whole text. */
function isAny(regex: string): boolean {
  return unanchored(regex) === '.*';
}

/** No path is empty. */
function isAnyPath(regex: string): boolean {
  return ['.*', '/.*', '.+'].includes(unanchored(regex));
}

function unanchored(regex: string): string {
  return regex.replace(/^\^/, '').replace(/\$$/, '');
}

function coversPathText(a: PathMatch, b: PathMatch): boolean {
  if (b.type === 'regex' || a.type === 'regex') return a.type === b.type && a.value === b.value;
  if (a.type === 'exact') return b.type === 'exact' && a.value === b.value;
  if (a.type === 'prefix') return b.value.startsWith(a.value);
  return b.type !== 'prefix' && (b.value === a.value || b.value.startsWith(`${a.value}/`));
}

function coversText(a: StringMatch | undefined, b: StringMatch | undefined): boolean {
  if (a === undefined) return true;
  if (b === undefined) return false;
  if (a.type === b.type && a.value === b.value) return true;
  if (a.type === 'regex') return isAny(a.value);
  if (a.type === 'prefix') return (b.type === 'exact' || b.type === 'prefix') && b.value.startsWith(a.value);
  return a.type === 'suffix' && (b.type === 'exact' || b.type === 'suffix') && b.value.endsWith(a.value);
}

function coversNamed(a: readonly NamedMatch[], b: readonly NamedMatch[]): boolean {
  return a.every((wanted) =>
    b.some((one) => {
      if (one.name !== wanted.name || (one.not ?? false) !== (wanted.not ?? false)) return false;
      // A negation turns it round: who excludes more lets through less.
      return (wanted.not ?? false) ? coversText(one.value, wanted.value) : coversText(wanted.value, one.value);
    }),
  );
}
