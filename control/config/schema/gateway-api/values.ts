import { isIP } from 'node:net';
import { z } from 'zod';
import { isDnsLabel } from '../../../../core/model/index.ts';
import { across, listOf, type Report, type Written } from '../across.ts';
import { refused } from '../refused.ts';

/** Terms that the Gateway API's kinds share, as its definitions have them. */

export const gatewayApiGroup = 'gateway.networking.k8s.io';
export const mcsGroup = 'multicluster.x-k8s.io';

const subdomain = (text: string) => text.length <= 253 && text.split('.').every(isDnsLabel);

/** Of a listener, a rule, a class. */
export const sectionName = z.string().refine(subdomain, { error: 'must be a DNS name: lower-case letters, digits, hyphens and dots' });
export const objectName = z.string().min(1, { error: 'must not be empty' }).max(253);

export const groupName = z
  .string()
  .refine((text) => text === '' || subdomain(text), { error: 'must be an API group without its version; empty for that of Service' });

function hostnameFault(text: string): string | undefined {
  if (isIP(text) !== 0) return 'must be a name, not an IP address';
  if (text === '*') return 'must not be *: leave it out for any host';
  if (/^[^:]+:[0-9]+$/.test(text)) return 'must be a host alone, without a port: those are of listeners';
  if (text !== text.toLowerCase()) return `must be in lower case: ${text.toLowerCase()}`;
  return subdomain(text.startsWith('*.') ? text.slice(2) : text)
    ? undefined
    : 'must be a DNS name such as shop.example.com or *.example.com';
}

/** A name, or one with `*.` in front. */
export const hostname = z.string().superRefine((text, ctx) => {
  const fault = hostnameFault(text);
  if (fault !== undefined) ctx.addIssue({ code: 'custom', message: fault });
});

export const preciseHostname = z.string().superRefine((text, ctx) => {
  const fault = text.includes('*') ? 'must name one host, without a *' : hostnameFault(text);
  if (fault !== undefined) ctx.addIssue({ code: 'custom', message: fault });
});

const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** GEP-2257: at most four whole numbers of five digits with h, m, s or ms; in ms. */
export const gepDuration = z
  .string({ error: ({ input }) => (typeof input === 'number' ? `must be a duration with its unit, such as ${input}s` : undefined) })
  .transform((text, ctx) => {
    if (/^([0-9]{1,5}(h|m|s|ms)){1,4}$/.test(text)) {
      return [...text.matchAll(/([0-9]+)(h|ms|m|s)/g)].reduce(
        (sum, [, number, unit = 's']) => sum + Number(number) * (unitMs[unit] ?? 0),
        0,
      );
    }
    const meant = /^[0-9]+$/.test(text)
      ? `; did you mean ${text}s?`
      : /\./.test(text)
        ? '; parts of a unit are written in the next one: 1s500ms'
        : '';
    ctx.addIssue({ code: 'custom', message: `${JSON.stringify(text.slice(0, 40))} is not a duration such as 10s, 500ms or 1h30m${meant}` });
    return z.NEVER;
  });

export const headerName = z
  .string()
  .max(256)
  .regex(/^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/, { error: 'is not a header name' });

/** Reports what stands twice in a list, by a key that each should have for itself. */
export function reportRepeats(
  list: unknown,
  key: (each: Written) => unknown,
  report: Report,
  at: readonly PropertyKey[],
  field: string,
): void {
  const keys = listOf(list).map((each) => (typeof each === 'object' && each !== null ? key(each as Written) : undefined));
  keys.forEach((each, i) => {
    const first = keys.indexOf(each);
    if (each !== undefined && first < i) report([...at, i, field], `is there already, in ${at.map(String).join('.')}[${first}]`);
  });
}

/** Names of headers are the same in any case. */
export function lowerName(each: Written): unknown {
  return typeof each['name'] === 'string' ? each['name'].toLowerCase() : undefined;
}

/** A selector of Kubernetes that can be known here: by the name of the namespace. */
export const namespaceLabel = 'kubernetes.io/metadata.name';

/** Which of several rules of a route was meant, in logs. */
export function ruleNames(prefix: string, rules: readonly { readonly name?: string | undefined }[]): readonly string[] {
  return rules.map(({ name }, i) => `${prefix}/${name ?? `rule-${i}`}`);
}

export const defaultGateways = refused('name the Gateway in parentRefs');

export function withRuleNames<S extends z.ZodType>(schema: S): S {
  return across(schema, (value, report) => reportRepeats(value['rules'], (each) => each['name'], report, ['rules'], 'name'));
}
