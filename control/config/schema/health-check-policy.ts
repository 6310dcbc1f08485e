import { z } from 'zod';
import type { HealthCheckPolicySpec } from '../../../core/config/index.ts';
import { fields } from '../../../core/yaml/index.ts';
import { across, oneFieldOf, present } from './across.ts';
import { duration, plainHost, portNumber, subsetName } from './istio/values.ts';
import { noted } from './refused.ts';

/** `200` or `200-299`. */
const statuses = z.union([z.string(), z.int()], { error: 'must be a status or a range, such as 200 or 200-299' }).transform((said, ctx) => {
  const [from = 0, to = from] = String(said).split('-').map(Number);
  const fits = /^[0-9]{3}(-[0-9]{3})?$/.test(String(said)) && from >= 100 && from <= to && to <= 599;
  if (fits) return { from, to };
  ctx.addIssue({ code: 'custom', message: 'must be a status or a range between 100 and 599, such as 200 or 200-299' });
  return z.NEVER;
});

const threshold = z.int().min(1).max(100);

/** Envoy's defaults; its factor is in thousandths, ours is the factor itself. */
const successRate = fields({
  minimumHosts: z.int().min(1).max(1_000_000).default(5),
  requestVolume: z.int().min(1).max(1_000_000).default(100),
  stdevFactor: noted(z.number().positive().max(1000), 'times the standard deviation, below the mean').default(1.9),
});

const checks = ['http', 'tcp', 'grpc'];
const times = ['interval', 'timeout', 'healthyThreshold', 'unhealthyThreshold'];

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
      interval: duration.optional(),
      timeout: duration.optional(),
      healthyThreshold: threshold.optional(),
      unhealthyThreshold: threshold.optional(),
      successRate: successRate.optional(),
    }),
    checks,
    0,
  ),
  (value, report) => {
    const { interval = 10_000, timeout = 1000 } = value;
    const checked = present(value, checks).length > 0;
    if (!checked && value['successRate'] === undefined) report([], `must hold one of ${checks.join(', ')}, or successRate`);
    if (!checked) for (const field of present(value, times)) report([field], `means nothing without a check: ${checks.join(', ')}`);
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
    ...(http === undefined && grpc === undefined && spec.tcp === undefined ? {} : { check: toCheck(spec) }),
    ...(spec.successRate === undefined ? {} : { successRate: spec.successRate }),
  };
}

function toCheck({ http, grpc, ...spec }: z.output<typeof healthCheckPolicySchema>): NonNullable<HealthCheckPolicySpec['check']> {
  return {
    type: http !== undefined ? 'http' : grpc !== undefined ? 'grpc' : 'tcp',
    path: http?.path ?? '/',
    ...(http?.host === undefined ? {} : { host: http.host }),
    expectedStatuses: http?.expectedStatuses ?? [],
    service: grpc?.service ?? '',
    intervalMs: spec.interval ?? 10_000,
    timeoutMs: spec.timeout ?? 1000,
    healthyThreshold: spec.healthyThreshold ?? 2,
    unhealthyThreshold: spec.unhealthyThreshold ?? 3,
  };
}
