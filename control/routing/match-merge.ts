import type { HttpMatch, NamedMatch, StringMatch } from '../../core/traffic/index.ts';

export type Condition = { readonly ports: readonly number[]; readonly gateways: readonly string[] };
export interface ConditionedMatch {
  readonly match: HttpMatch;
  readonly condition: Condition;
}

type TextMatch = { readonly type: string; readonly value: string };

/**
 * What both a root and its delegate ask for, or undefined where the delegate asks for more than the root gave it (Istio: its match
 * must be a part of the root's; regular expressions on either side cannot be compared and count as not).
 */
export function mergeMatches(root: ConditionedMatch, leaf: ConditionedMatch): ConditionedMatch | undefined {
  if (conflicting(root, leaf)) return undefined;
  const { match: r } = root;
  const { match: l } = leaf;
  const name = [r.name, l.name].filter((n) => n !== undefined && n !== '').join('-');
  return {
    match: {
      ...pick(r),
      ...pick(l),
      ...(name === '' ? {} : { name }),
      headers: mergeNamed(r.headers, l.headers),
      query: mergeNamed(r.query, l.query),
      sourceLabels: { ...r.sourceLabels, ...l.sourceLabels },
    },
    condition: {
      ports: leaf.condition.ports.length > 0 ? leaf.condition.ports : root.condition.ports,
      gateways: leaf.condition.gateways.length > 0 ? leaf.condition.gateways : root.condition.gateways,
    },
  };
}

function pick({ path, ignoreCase, method, scheme, authority, sourceNamespace }: HttpMatch): Partial<HttpMatch> {
  const all = { path, ignoreCase, method, scheme, authority, sourceNamespace };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** The delegate's in the place of the root's of the same name. */
function mergeNamed(root: readonly NamedMatch[], leaf: readonly NamedMatch[]): readonly NamedMatch[] {
  const same = (a: NamedMatch, b: NamedMatch) => a.name === b.name && (a.not ?? false) === (b.not ?? false);
  return [...root.filter((r) => !leaf.some((l) => same(r, l))), ...leaf];
}

function conflicting(root: ConditionedMatch, leaf: ConditionedMatch): boolean {
  const { match: r } = root;
  const { match: l } = leaf;
  return (
    (r.ignoreCase ?? false) !== (l.ignoreCase ?? false) ||
    textConflict(r.path, l.path) ||
    (['scheme', 'method', 'authority'] as const).some((field) => textConflict(r[field], l[field])) ||
    namedConflict(r.headers, l.headers) ||
    namedConflict(r.query, l.query) ||
    Object.entries(l.sourceLabels).some(([key, value]) => Object.hasOwn(r.sourceLabels, key) && r.sourceLabels[key] !== value) ||
    (r.sourceNamespace !== undefined && l.sourceNamespace !== undefined && r.sourceNamespace !== l.sourceNamespace) ||
    outside(root.condition.ports, leaf.condition.ports) ||
    outside(root.condition.gateways, leaf.condition.gateways)
  );
}

function outside<T>(root: readonly T[], leaf: readonly T[]): boolean {
  return root.length > 0 && leaf.some((one) => !root.includes(one));
}

function namedConflict(root: readonly NamedMatch[], leaf: readonly NamedMatch[]): boolean {
  const same = (a: NamedMatch, b: NamedMatch) => a.name === b.name && (a.not ?? false) === (b.not ?? false);
  // Who asks for any value would get those that the root does not give.
  const wider = (r: NamedMatch, l: NamedMatch) => r.value !== undefined && l.value === undefined;
  return leaf.some((l) => root.some((r) => same(r, l) && (wider(r, l) || textConflict(r.value, l.value))));
}

function textConflict(root: TextMatch | StringMatch | undefined, leaf: TextMatch | StringMatch | undefined): boolean {
  if (root === undefined || leaf === undefined) return false;
  if (root.type === 'exact') return leaf.type !== 'exact' || leaf.value !== root.value;
  if (root.type === 'prefix') return (leaf.type !== 'prefix' && leaf.type !== 'exact') || !leaf.value.startsWith(root.value);
  return true;
}
