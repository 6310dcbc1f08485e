import { z } from 'zod';
import type { HealthCheckPolicySpec } from '../../../core/config/index.ts';
import { fields } from '../../../core/yaml/index.ts';
import { across, oneFieldOf } from './across.ts';
import { duration, plainHost, portNumber, subsetName } from './istio/values.ts';

/** `200` or `200-299`. */
const statuses = z.union([z.string(), z.int()], { error: 'must be a status or a range, such as 200 or 200-299' }).transform((said, ctx) => {
  const [from = 0, to = from] = String(said).split('-').map(Number);
  const fits = /^[0-9]{3}(-[0-9]{3})?$/.test(String(said)) && from >= 100 && from <= to && to <= 599;
  if (fits) return { from, to };
  ctx.addIssue({ code: 'custom', message: 'must be a status or a range between 100 and 599, such as 200 or 200-299' });
  return z.NEVER;
});

const threshold = z.int().min(1).max(100);

/** Our own kind, as no other says it: callers of a host check its endpoints. Durations are Istio's. */
export const healthCheckPolicySchema = across(
  oneFieldOf(
    fields({
      host: plainHost,
      port: portNumber.optional(),
      subset: subsetName.optional(),
      http: fields({
        path: z.string().startsWith('/', { error: 'must be a path' }).default('/'),
        host: z.string().min(1).optional(),
        expectedStatuses: z.array(statuses).default([{ from: 200, to: 200 }]),
      }).optional(),
      tcp: fields({}).optional(),
      grpc: fields({ service: z.string().default('') }).optional(),
      interval: duration.default(10_000),
      timeout: duration.default(1000),
      healthyThreshold: threshold.default(2),
      unhealthyThreshold: threshold.default(3),
    }),
    ['http', 'tcp', 'grpc'],
  ),
  ({ interval, timeout }, report) => {
    if (typeof interval === 'number' && interval < 100) report(['interval'], 'must be at least 100ms');
    if (typeof interval === 'number' && typeof timeout === 'number' && timeout > interval)
      report(['timeout'], 'must not be longer than interval');
  },
);

export function toHealthCheckPolicy(spec: z.output<typeof healthCheckPolicySchema>): HealthCheckPolicySpec {
  const { host, port, subset, http, grpc } = spec;
  return {
    host,
    ...(port === undefined ? {} : { port }),
    ...(subset === undefined ? {} : { subset }),
    check: {
      type: http !== undefined ? 'http' : grpc !== undefined ? 'grpc' : 'tcp',
      path: http?.path ?? '/',
      ...(http?.host === undefined ? {} : { host: http.host }),
      expectedStatuses: http?.expectedStatuses ?? [],
      service: grpc?.service ?? '',
      intervalMs: spec.interval,
      timeoutMs: spec.timeout,
      healthyThreshold: spec.healthyThreshold,
      unhealthyThreshold: spec.unhealthyThreshold,
    },
  };
}
