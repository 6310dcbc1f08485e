import { z } from 'zod';
import type { CorsPolicy, Fault, RetryCondition, RetryPolicy } from '../../../../core/traffic/index.ts';
import { defaultRetries } from '../../../../core/traffic/index.ts';
import { didYouMean, fields, oneOf } from '../../../../core/yaml/index.ts';
import { across, oneFieldOf, present } from '../across.ts';
import { noted, refused } from '../refused.ts';
import { grpcStatus } from './grpc-status.ts';
import { stringMatch, toStringMatch } from './string-match.ts';
import { duration, durationOrZero, percent } from './values.ts';

const conditions: readonly RetryCondition[] = [
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'refused-stream',
  'retriable-4xx',
  'retriable-status-codes',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
];
const unsupported: Readonly<Record<string, string>> = {
  'retriable-headers': 'name status codes instead',
  'envoy-ratelimited': 'rate limits come later',
  'http3-post-connect-failure': 'there is no HTTP/3 between proxies here',
};

/** Envoy's names and status codes, with commas between. */
const retryOn = z.string().transform((text, ctx) => {
  const on = new Set<RetryCondition>();
  const statusCodes: number[] = [];
  for (const item of text.split(',').map((each) => each.trim())) {
    const known = conditions.find((condition) => condition === item);
    const code = /^[0-9]+$/.test(item) ? Number(item) : undefined;
    if (known !== undefined) on.add(known);
    else if (code !== undefined && code >= 100 && code <= 599) statusCodes.push(code);
    else ctx.addIssue({ code: 'custom', message: conditionFault(item) });
  }
  if (statusCodes.length > 0) on.add('retriable-status-codes');
  return { on: [...on], statusCodes };
});

function conditionFault(item: string): string {
  const reason = unsupported[item];
  if (reason !== undefined) return `${item} is not supported: ${reason}`;
  return `${JSON.stringify(item.slice(0, 40))} is no condition and no status${didYouMean(item, conditions) || `; conditions are ${conditions.join(', ')}`}`;
}

/** Istio's HTTPRetry. Without `retryOn` the conditions of the default hold. */
export const retries = fields({
  attempts: z.int().min(0).max(100),
  perTryTimeout: durationOrZero.optional(),
  retryOn: retryOn.optional(),
  retryRemoteLocalities: z.boolean().optional(),
  retryIgnorePreviousHosts: z.boolean().optional(),
  backoff: duration.optional(),
});

export function toRetries(written: z.output<typeof retries>): RetryPolicy {
  const { perTryTimeout, backoff, retryRemoteLocalities, retryIgnorePreviousHosts } = written;
  return {
    attempts: written.attempts,
    ...(perTryTimeout === undefined || perTryTimeout === 0 ? {} : { perTryTimeoutMs: perTryTimeout }),
    on: written.retryOn?.on ?? defaultRetries.on,
    statusCodes: written.retryOn?.statusCodes ?? [],
    ...(backoff === undefined ? {} : { backoffMs: backoff }),
    ...(retryRemoteLocalities === undefined ? {} : { otherLocalities: retryRemoteLocalities }),
    ...(retryIgnorePreviousHosts === undefined ? {} : { ignorePreviousHosts: retryIgnorePreviousHosts }),
  };
}

const shares = {
  percentage: noted(percent, 'absent: no request at all, as in Istio; such a rule is refused').optional(),
  percent: z.int().min(0).max(100).optional(),
};

/** Istio takes a fault without a share, and injects none. */
function withShare<S extends z.ZodType>(schema: S): S {
  return across(oneFieldOf(schema, ['percentage', 'percent'], 0), (value, report) => {
    if (present(value, ['percentage', 'percent']).length === 0)
      report(['percentage'], 'is required: without it no request would be affected');
  });
}

const delay = withShare(
  fields({
    fixedDelay: duration,
    exponentialDelay: refused('write fixedDelay'),
    ...shares,
    percent: noted(shares.percent, 'deprecated: percentage'),
  }),
);

const abort = withShare(
  oneFieldOf(
    fields({
      httpStatus: z.int().min(200).max(599).optional(),
      grpcStatus: grpcStatus.optional(),
      http2Error: refused('write httpStatus or grpcStatus'),
      percentage: shares.percentage,
    }),
    ['httpStatus', 'grpcStatus'],
  ),
);

export const fault = across(fields({ delay: delay.optional(), abort: abort.optional() }), (value, report) => {
  if (present(value, ['delay', 'abort']).length === 0) report([], 'must hold delay, abort or both');
});

export function toFault(written: z.output<typeof fault>): Fault {
  const found: { delay?: Fault['delay']; abort?: Fault['abort'] } = {};
  if (written.delay !== undefined) {
    const { fixedDelay, percentage, percent: whole } = written.delay;
    found.delay = { percent: percentage?.value ?? whole ?? 0, ms: fixedDelay };
  }
  if (written.abort !== undefined) {
    const { httpStatus, grpcStatus: grpc, percentage } = written.abort;
    // Who does not speak gRPC is answered 200 by Envoy when that is how the fault is said.
    found.abort = { percent: percentage?.value ?? 0, status: httpStatus ?? 200, ...(grpc === undefined ? {} : { grpcStatus: grpc }) };
  }
  return { ...(found.delay === undefined ? {} : { delay: found.delay }), ...(found.abort === undefined ? {} : { abort: found.abort }) };
}

const headerNames = z.array(z.string().regex(/^([A-Za-z0-9!#$%&'*+.^_`|~-]+)$/, { error: 'is not a header name' })).default([]);

export const corsPolicy = oneFieldOf(
  fields({
    allowOrigins: z.array(stringMatch).optional(),
    allowOrigin: noted(z.array(z.string()), 'deprecated: allowOrigins').optional(),
    allowMethods: z.array(z.string().regex(/^(\*|[A-Z]+)$/, { error: 'must be a method in capitals, or *' })).default([]),
    allowHeaders: headerNames,
    exposeHeaders: headerNames,
    maxAge: durationOrZero.optional(),
    allowCredentials: z.boolean().optional(),
    unmatchedPreflights: oneOf('UNSPECIFIED', 'FORWARD', 'IGNORE').optional(),
  }),
  ['allowOrigins', 'allowOrigin'],
);

export function toCors(written: z.output<typeof corsPolicy>): CorsPolicy {
  const { maxAge, allowCredentials, unmatchedPreflights } = written;
  const anyOrigin = { type: 'regex', value: '.*' } as const;
  return {
    allowOrigins:
      written.allowOrigin?.map((origin) => (origin === '*' ? anyOrigin : { type: 'exact' as const, value: origin })) ??
      (written.allowOrigins ?? []).flatMap((origin) => toStringMatch(origin) ?? []),
    allowMethods: written.allowMethods,
    allowHeaders: written.allowHeaders,
    exposeHeaders: written.exposeHeaders,
    ...(maxAge === undefined ? {} : { maxAgeS: Math.round(maxAge / 1000) }),
    ...(allowCredentials === undefined ? {} : { allowCredentials }),
    ...(unmatchedPreflights === 'IGNORE' ? { forwardNotMatching: false } : {}),
  };
}
