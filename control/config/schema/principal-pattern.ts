import { parseSpiffeId } from '../../../core/model/index.ts';

/** TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT; undefined: any label. */
const shape = [undefined, 'ns', undefined, 'sa', undefined] as const;

const form = 'TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT';

/** What is wrong with a principal of a policy; undefined: nothing. What could never match is wrong: a DENY by it would deny nobody. */
export function principalFault(text: string): string | undefined {
  const stars = starFault(text);
  if (stars !== undefined) return stars;
  if (text.startsWith('spiffe://')) return 'must not hold the scheme: write it without spiffe://';
  if (text === '*') return undefined;
  const fits = text.startsWith('*')
    ? fitsAtEnd(text.slice(1).split('/'))
    : text.endsWith('*')
      ? fitsAtStart(text.slice(0, -1).split('/'))
      : parseSpiffeId(`spiffe://${text}`) !== undefined;
  return fits ? undefined : `can never match: principals are ${form}`;
}

/** As Istio: `*` alone, or one at the beginning or at the end. */
export function starFault(text: string): string | undefined {
  if (text === '') return 'must not be empty; * for anything';
  return /^(\*|\*?[^*]+|[^*]+\*)$/.test(text) ? undefined : 'may have one *, alone, at the beginning or at the end';
}

/** A principal that names this trust domain, or leaves it open. */
export function mayBeOf(trustDomain: string, pattern: string): boolean {
  if (pattern.startsWith('*')) return true;
  const head = pattern.split('/')[0] ?? '';
  if (pattern.includes('/')) return head === trustDomain;
  return trustDomain.startsWith(head.replace(/\*$/, ''));
}

/** The last part is only the beginning of a segment. */
function fitsAtStart(parts: readonly string[]): boolean {
  return (
    parts.length <= shape.length && parts.every((part, i) => fits(part, shape[i], i === parts.length - 1 && ((s) => s.startsWith(part))))
  );
}

/** The first part is only the end of a segment. */
function fitsAtEnd(parts: readonly string[]): boolean {
  const offset = shape.length - parts.length;
  return offset >= 0 && parts.every((part, i) => fits(part, shape[i + offset], i === 0 && ((s) => s.endsWith(part))));
}

function fits(part: string, fixed: string | undefined, open: false | ((segment: string) => boolean)): boolean {
  if (fixed !== undefined) return open === false ? part === fixed : open(fixed);
  return /^[a-zA-Z0-9._-]*$/.test(part) && (open !== false || part !== '');
}
