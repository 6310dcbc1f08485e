import { isIP } from 'node:net';
import { z } from 'zod';
import { isDnsLabel } from '../../../../core/model/index.ts';
import { fields } from '../../../../core/yaml/index.ts';
import { noted } from '../refused.ts';

/** Terms that several of Istio's kinds share. Where the CRD's schema and Istio's own validation differ, the stricter one holds. */

const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, us: 1e-3, µs: 1e-3, ns: 1e-6 };
const part = '(?:[0-9]+(?:\\.[0-9]*)?|\\.[0-9]+)(?:h|ms|us|µs|ns|m|s)';
/** The API server's library refuses longer ones. */
const maxMs = 292 * 365 * 24 * 3_600_000;

/** Go's form, as the API server checks it: `1.5s`, `1h30m`, `100ms`; no days. In ms. */
function goDurationMs(text: string): number | undefined {
  if (text === '0') return 0;
  if (text.length > 64 || !new RegExp(`^(?:${part})+$`).test(text)) return undefined;
  const parts = [...text.matchAll(/([0-9.]+)(h|ms|us|µs|ns|m|s)/g)];
  return parts.reduce((sum, [, number = '0', unit = 's']) => sum + Number(number) * (unitMs[unit] ?? 0), 0);
}

function notADuration({ input }: { input?: unknown }): string | undefined {
  return typeof input === 'number' ? `must be a duration with its unit, such as ${input}s` : undefined;
}

/** Whole ms, as everything between here and the proxies counts. */
function durationAtLeast(leastMs: number) {
  return z.string({ error: notADuration }).transform((text, ctx) => {
    const ms = goDurationMs(text);
    const whole = Math.round(ms ?? 0);
    const exact = ms !== undefined && Math.abs(ms - whole) < 5e-7 + ms * 1e-15;
    if (exact && whole >= leastMs && whole < maxMs) return whole;
    const days = /^[0-9]+d$/.test(text) ? `; days are written in hours, ${24 * Number.parseInt(text, 10)}h` : '';
    const bare = /^[0-9]+(\.[0-9]+)?$/.test(text) ? `; did you mean ${text}s?` : '';
    const fault =
      exact || (ms ?? 0) < leastMs ? `must be at least ${leastMs}ms` : `is finer than 1 ms; did you mean ${Math.ceil(ms ?? 0)}ms?`;
    const message = ms === undefined ? `is not a duration such as 1.5s, 250ms or 1h30m${days}${bare}` : fault;
    ctx.addIssue({ code: 'custom', message: `${JSON.stringify(text.slice(0, 40))} ${message}` });
    return z.NEVER;
  });
}

/** At least 1 ms, as almost everywhere. In ms. */
export const duration = durationAtLeast(1);
/** 0 has a meaning of its own. */
export const durationOrZero = durationAtLeast(0);

/** Of Istio's Percent: `value` is a double of at least 0.0001 steps, as Envoy counts in millionths. */
export const percent = fields({ value: z.number().min(0).max(100).default(0) });

export const portNumber = z.int().min(1, { error: notAPort }).max(65_535, { error: notAPort });

function notAPort(issue: { input?: unknown }): string {
  return `must be a port between 1 and 65535, not ${String(issue.input)}`;
}

const label = /^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;

const labelKey = z
  .string()
  .refine((key) => !key.includes('*') && label.test(key.slice(key.indexOf('/') + 1)), { error: 'must be a label key, without a *' });
const labelValue = z.string().refine((value) => value === '' || label.test(value), {
  error: 'must be a label value, compared as it is: at most 63 letters, digits, - _ .',
});

/** All must be equal. */
export const labels = z.record(labelKey, labelValue, {
  error: (issue) => (issue.code === 'invalid_key' ? 'must be a label key, without a *' : undefined),
});

export const subsetName = z.string().superRefine((name, ctx) => {
  if (name === 'gateway')
    ctx.addIssue({ code: 'custom', message: 'is taken: gateways of the mesh answer for that name; name the subset otherwise' });
  else if (!isDnsLabel(name)) ctx.addIssue({ code: 'custom', message: 'must be a DNS label: lower-case letters, digits and hyphens' });
});

/** What is wrong with a host: a DNS name, or one with `*.` in front; undefined: nothing. */
export function hostFault(host: string): string | undefined {
  if (host === '') return 'must not be empty';
  if (host === '*') return undefined;
  if (host.includes('://')) return `must be a host alone, without the scheme: ${host.slice(host.indexOf('://') + 3, 80)}`;
  if (/^[^:]+:[0-9]+$/.test(host)) return 'must be a host alone: a port has its own field';
  const name = host.startsWith('*.') ? host.slice(2) : host;
  if (name.includes('*')) return 'may have one *, alone or as the whole first label, such as *.example.com';
  if (name !== name.toLowerCase()) return `must be in lower case: ${host.toLowerCase()}`;
  const fits = name.length <= 253 && name.split('.').every((each) => isDnsLabel(each) || /^[a-z0-9_-]{1,63}$/.test(each));
  return fits ? undefined : 'must be a DNS name such as reviews, reviews.shop.mesh.internal or *.example.com';
}

export const host = z.string().superRefine((text, ctx) => {
  const fault = isIP(text) === 0 ? hostFault(text) : undefined;
  if (fault !== undefined) ctx.addIssue({ code: 'custom', message: fault });
});

/** A host without a `*`: one service. */
export const plainHost = z.string().superRefine((text, ctx) => {
  const fault = text.includes('*') ? 'must name one host, without a *' : hostFault(text);
  if (fault !== undefined) ctx.addIssue({ code: 'custom', message: fault });
});

export const visibility = z.string().superRefine((text, ctx) => {
  if (text === '.' || text === '*' || isDnsLabel(text)) return;
  const message =
    text === '~' ? '~, for nobody, is not supported: remove the object instead' : 'must be a namespace, . for its own or * for all';
  ctx.addIssue({ code: 'custom', message });
});

/** Empty: all. */
export const exportTo = z.array(noted(visibility, 'namespaces, `.` or `*`; `~` is refused')).default([]);

export const workloadSelector = fields({ matchLabels: labels.default({}) });

const destinationPort = fields({ number: portNumber });

/** Istio's Destination. */
export const destination = fields({ host: plainHost, subset: subsetName.optional(), port: destinationPort.optional() });

export type Destination = z.output<typeof destination>;

/** For PEM files, which are where the proxy runs: nothing else says relative to what. */
export const absoluteFile = z
  .string()
  .refine((path) => path.startsWith('/'), { error: 'must be an absolute path, on the machine of the proxy' });

const cidrOrIp = (text: string): boolean => {
  const [address = '', bits, more] = text.split('/');
  const version = isIP(address);
  return (
    version !== 0 && more === undefined && (bits === undefined || (/^[0-9]{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128)))
  );
};

export const subnet = z
  .string()
  .refine(cidrOrIp, { error: 'must be an IP address or a CIDR such as 10.0.0.0/8' })
  .transform((text) => (text.includes('/') ? text : `${text}/${isIP(text) === 4 ? 32 : 128}`));
