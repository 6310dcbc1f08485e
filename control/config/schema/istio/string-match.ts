import { RE2JS } from 're2js';
import { z } from 'zod';
import type { NamedMatch, StringMatch } from '../../../../core/traffic/index.ts';
import { fields } from '../../../../core/yaml/index.ts';
import { across, oneFieldOf, present } from '../across.ts';

const forms = ['exact', 'prefix', 'regex'] as const;

/** RE2 as the proxies read it; what it lacks, such as look-ahead and back-references, is named by its own message. */
export const regex = z.string().superRefine((text, ctx) => {
  const fault = text === '' ? 'must not be empty' : regexFault(text);
  if (fault !== undefined) ctx.addIssue({ code: 'custom', message: fault });
});

/**
 * A tenth of what our Envoys are told to take (core/xds/envoy/bootstrap.ts), because RE2 in C++ needs up to ten instructions where this
 * one needs one: a class of characters is an instruction for each of its ranges there.
 */
const largestProgram = 3_276;

function regexFault(text: string): string | undefined {
  try {
    const size = RE2JS.compile(text).programSize();
    return size > largestProgram ? `is too large for Envoy: ${size} instructions of RE2, at most ${largestProgram}` : undefined;
  } catch (error) {
    return `is not a regular expression of RE2: ${error instanceof Error ? error.message : String(error)}`;
  }
}

const shape = { exact: z.string().optional(), prefix: z.string().optional(), regex: regex.optional() };

/** Istio's StringMatch, with exactly one of its forms. */
export const stringMatch = oneFieldOf(fields(shape), forms);

/** The same where `{}` means that the header or parameter is there, whatever its value. */
const presenceMatch = oneFieldOf(fields(shape), forms, 0);

type Written = z.output<typeof stringMatch>;

export function toStringMatch({ exact, prefix, regex: pattern }: Written): StringMatch | undefined {
  if (exact !== undefined) return { type: 'exact', value: exact };
  if (prefix !== undefined) return { type: 'prefix', value: prefix };
  return pattern === undefined ? undefined : { type: 'regex', value: pattern };
}

/** RFC 9110 §5.6.2. */
const token = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const pseudo = ['uri', 'scheme', 'method', 'authority'];

function headerNameFault(name: string): string | undefined {
  if (pseudo.includes(name)) return `is no header: match it by the field ${name}, beside headers`;
  if (name.startsWith(':')) return `is no header: match it by a field of its own, one of ${pseudo.join(', ')}`;
  return token.test(name) ? undefined : 'is not a header name';
}

export const headerMatches = across(z.record(z.string(), presenceMatch).default({}), (value, report) => {
  for (const name of Object.keys(value)) {
    const fault = headerNameFault(name);
    if (fault !== undefined) report([name], fault);
  }
});

export const queryMatches = across(z.record(z.string(), presenceMatch).default({}), (value, report) => {
  if (present(value, ['']).length > 0) report([''], 'must not be empty: it is the name of a query parameter');
});

export function toNamed(matches: Readonly<Record<string, Written>>, spell: (name: string) => string, not: boolean): NamedMatch[] {
  return Object.entries(matches).map(([name, written]) => {
    const value = toStringMatch(written);
    return { name: spell(name), ...(value === undefined ? {} : { value }), ...(not ? { not } : {}) };
  });
}
