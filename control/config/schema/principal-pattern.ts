import { trustDomainOf } from '../../../core/authz/index.ts';
import { parseSpiffeId, parseWorkloadId } from '../../../core/model/index.ts';

/** TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT; undefined: any label. */
const shape = [undefined, 'ns', undefined, 'sa', undefined] as const;

const form = 'TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT';

/**
 * What is wrong with a principal of a policy, whatever the trust domains; undefined: nothing. What could never match is wrong: a DENY by it
 * would deny nobody. `memberFault` says the rest.
 */
export function principalFault(text: string): string | undefined {
  const stars = starFault(text);
  if (stars !== undefined) return stars;
  if (text.startsWith('spiffe://')) return 'must not hold the scheme: write it without spiffe://';
  return !text.startsWith('*') || text === '*' || fitsAtEnd(text.slice(1).split('/')) ? undefined : misfit;
}

const misfit = `can never match: principals are ${form}`;

/**
 * What is wrong with it in the mesh of `trustDomain`. Identities of others are named with their trust domain in full and are of whatever
 * form that domain gives them. `federated`: those others; `any`: whoever it may be.
 */
export function memberFault(pattern: string, trustDomain: string, federated: readonly string[] | 'any'): string | undefined {
  if (pattern.startsWith('*')) return undefined;
  const named = trustDomainOf(pattern);
  if (named !== undefined && named !== trustDomain && (federated === 'any' || federated.includes(named))) {
    const whole = pattern.endsWith('*') ? `${pattern.slice(0, -1)}x` : pattern;
    return parseWorkloadId(`spiffe://${whole}`) === undefined ? `can never match: identities of ${named} are ${named}/PATH` : undefined;
  }
  const fits = pattern.endsWith('*') ? fitsAtStart(pattern.slice(0, -1).split('/')) : parseSpiffeId(`spiffe://${pattern}`) !== undefined;
  if (!fits) return misfit;
  if (mayBeOf(trustDomain, pattern)) return undefined;
  const hint = federated === 'any' || named === undefined ? '' : `; name ${named} in a FederatedTrustDomain to let its identities in`;
  return `can never match: the trust domain of this mesh is ${trustDomain}, and has no alias${hint}`;
}

/** As Istio: `*` alone, or one at the beginning or at the end. */
export function starFault(text: string): string | undefined {
  if (text === '') return 'must not be empty; * for anything';
  return /^(\*|\*?[^*]+|[^*]+\*)$/.test(text) ? undefined : 'may have one *, alone, at the beginning or at the end';
}

/** A principal that names this trust domain, or leaves it open. */
function mayBeOf(trustDomain: string, pattern: string): boolean {
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
