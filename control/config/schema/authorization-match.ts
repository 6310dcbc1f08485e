import { isIP } from 'node:net';
import { z } from 'zod';
import type { AuthzAttribute, AuthzCondition } from '../../../core/authz/index.ts';
import { isPathTemplate } from '../../../core/authz/index.ts';
import { starFault } from './principal-pattern.ts';

type FaultOf = (text: string) => string | undefined;

/** A list of texts, of which each has no fault. */
export function patterns(faultOf: FaultOf) {
  const pattern = z.string().superRefine((text, ctx) => {
    const fault = faultOf(text);
    if (fault !== undefined) ctx.addIssue({ code: 'custom', message: fault });
  });
  return z.array(pattern).min(1, { error: 'must name at least one; leave the field out for no condition' }).default([]);
}

export function blockFault(text: string): string | undefined {
  return cidrOf(text) === undefined ? 'must be an address, or ADDRESS/BITS' : undefined;
}

/** ADDRESS/BITS; a single address is a block of its own. */
export function cidrOf(text: string): string | undefined {
  const [address = '', bits, rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest !== undefined || address.includes('%')) return undefined;
  const most = family === 4 ? 32 : 128;
  if (bits === undefined) return `${address}/${most}`;
  return /^(0|[1-9][0-9]{0,2})$/.test(bits) && Number(bits) <= most ? `${address}/${bits}` : undefined;
}

export function portFault(text: string): string | undefined {
  return /^[1-9][0-9]{0,4}$/.test(text) && Number(text) <= 65_535 ? undefined : 'must be a port, 1-65535, as text';
}

export function methodFault(text: string): string | undefined {
  return starFault(text) ?? (/^[A-Za-z*_-]+$/.test(text) ? undefined : 'can never match: no method is called that');
}

export function hostFault(text: string): string | undefined {
  return starFault(text) ?? (/^[\x21-\x7e]+$/.test(text) && !/[/?#@]/.test(text) ? undefined : 'can never match: no host is called that');
}

/** What normalisation takes out of every path, and what a path does not hold: a DENY that never matches would look like safety. */
export function pathFault(text: string): string | undefined {
  if (isPathTemplate(text)) return templateFault(text);
  return starFault(text) ?? literalFault(text);
}

function literalFault(text: string): string | undefined {
  if (/[?#]/.test(text)) return 'can never match: paths are compared without query and fragment';
  const odd =
    /\/\/|\\|%2f|%5c|[^\x21-\x7e]|["<>^`{|}]|\/\.{1,2}(\/|$)/i.test(text) || /%(2[de]|3[0-9]|[46][1-9a-f]|[57][0-9a]|5f|7e)/i.test(text);
  return odd ? 'can never match: paths are compared after normalisation (no //, no dots, nothing escaped that need not be)' : undefined;
}

function templateFault(text: string): string | undefined {
  const segments = text.split('/');
  if (segments[0] !== '') return 'a template must begin with /';
  for (const [i, segment] of segments.slice(1).entries()) {
    if (segment === '{*}' || segment === '{**}') {
      if (segments.slice(1, i + 1).includes('{**}')) return '{**} must be the last operator of a template';
    } else if (/[{}*]/.test(segment)) return 'a segment of a template is {*}, {**}, or a text without braces and *';
    else if (literalFault(`/${segment}`) !== undefined) return literalFault(`/${segment}`);
  }
  return undefined;
}

/** ISSUER/SUBJECT, of which one may have the `*`. */
export function requestPrincipalFault(text: string): string | undefined {
  if (/^\*\/[^*]+$/.test(text) || /^[^*]+\/\*$/.test(text)) return undefined;
  return starFault(text);
}

export function accountFault(text: string): string | undefined {
  return /^([a-z0-9-]{1,63}\/)?[a-zA-Z0-9._-]{1,253}$/.test(text)
    ? undefined
    : 'must be SERVICE_ACCOUNT of the namespace of the policy, or NAMESPACE/SERVICE_ACCOUNT';
}

/** Nothing for an empty list, which says nothing. */
export function anyOf(attribute: AuthzAttribute, texts: readonly string[], names: readonly string[] = []): readonly AuthzCondition[] {
  return texts.length === 0 ? [] : [{ kind: 'test', attribute, names, patterns: [...new Set(texts)].sort() }];
}

export function noneOf(attribute: AuthzAttribute, texts: readonly string[], names: readonly string[] = []): readonly AuthzCondition[] {
  return anyOf(attribute, texts, names).map((of) => ({ kind: 'not', of }));
}

/** Undefined: nothing is asked. */
export function allOf(of: readonly AuthzCondition[]): AuthzCondition | undefined {
  return of.length < 2 ? of[0] : { kind: 'all', of };
}
