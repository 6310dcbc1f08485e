import { z } from 'zod';
import type { TelemetrySpec } from '../../../../core/config/index.ts';
import { fields } from '../../../../core/yaml/index.ts';
import { later, noted, refused } from '../refused.ts';
import { workloadSelector } from './values.ts';

const mode = noted(
  z.literal('CLIENT_AND_SERVER', { error: 'must be CLIENT_AND_SERVER: one side alone comes later' }),
  'CLIENT_AND_SERVER; one side alone comes later',
);
const providers = 'logs, metrics and traces go where the file of each proxy says';

const accessLogging = fields({
  disabled: z.boolean().default(false),
  match: fields({ mode: mode.optional() }).optional(),
  filter: later('a choice of requests to log'),
  providers: refused(providers),
});

const override = fields({
  match: fields({
    metric: noted(
      z.literal('ALL_METRICS', { error: 'must be ALL_METRICS: single metrics come later' }),
      'ALL_METRICS; single metrics come later',
    ).optional(),
    customMetric: refused('there are none: proxies have the metrics of Istio'),
    mode: mode.optional(),
  }).optional(),
  disabled: z.boolean().default(false),
  tagOverrides: later('changes of labels'),
});

const metrics = fields({
  overrides: z.array(override).default([]),
  providers: refused(providers),
  reportingInterval: refused('metrics are read when they are scraped'),
});

const once = { error: 'must hold one entry: with one kind of provider the last would win' };
const target = 'select workloads by selector';

/** Istio's Telemetry, as far as it says whether there are access logs and metrics. */
export const telemetrySchema = fields({
  selector: workloadSelector.optional(),
  accessLogging: z.array(accessLogging).max(1, once).optional(),
  metrics: z.array(metrics).max(1, once).optional(),
  tracing: later('tracing'),
  targetRef: refused(target),
  targetRefs: refused(target),
});

export function toTelemetry(spec: z.output<typeof telemetrySchema>): TelemetrySpec {
  const [logging] = spec.accessLogging ?? [];
  const [measured] = spec.metrics ?? [];
  const overrides = measured?.overrides ?? [];
  return {
    selector: spec.selector?.matchLabels ?? {},
    ...(logging === undefined ? {} : { accessLogging: { disabled: logging.disabled } }),
    ...(measured === undefined ? {} : { metrics: { disabled: overrides.at(-1)?.disabled ?? false } }),
  };
}
