import { z } from 'zod';
import { parseLogFilter } from '../../../../core/access-log/index.ts';
import type { TelemetrySpec } from '../../../../core/config/index.ts';
import { fields, oneOf } from '../../../../core/yaml/index.ts';
import type { SpecContext } from '../../kinds/row.ts';
import { later, noted, refused } from '../refused.ts';
import { workloadSelector } from './values.ts';

const expression = noted(
  z.string().superRefine((text, ctx) => {
    const parsed = parseLogFilter(text);
    for (const { message } of parsed.ok ? [] : parsed.violations) ctx.addIssue({ code: 'custom', message });
  }),
  'a part of CEL: see docs/access-logs.md',
);

const ownLog = 'must be envoy, the log that each proxy writes to its own standard output: logs go nowhere else from here';

const accessLogging = fields({
  disabled: z.boolean().default(false),
  match: fields({ mode: oneOf('CLIENT_AND_SERVER', 'CLIENT', 'SERVER').default('CLIENT_AND_SERVER') }).prefault({}),
  filter: fields({ expression }).optional(),
  providers: z
    .array(fields({ name: noted(z.literal('envoy', { error: ownLog }), 'envoy: the log that each proxy writes to its standard output') }))
    .max(1, { error: 'must hold one: there is one log' })
    .optional(),
});

const target = 'select workloads by selector';

/** Istio's Telemetry, as far as it says what is written into access logs. */
export const telemetrySchema = fields({
  selector: workloadSelector.optional(),
  accessLogging: z.array(accessLogging).default([]),
  metrics: refused("every proxy counts as its own program does, ours by Istio's names and Envoy by its own: choose where they are scraped"),
  tracing: later('tracing'),
  targetRef: refused(target),
  targetRefs: refused(target),
});

const sides = { CLIENT: 'client', SERVER: 'server', CLIENT_AND_SERVER: 'both' } as const;

export function toTelemetry(spec: z.output<typeof telemetrySchema>, { createdAt }: SpecContext): TelemetrySpec {
  return {
    selector: spec.selector?.matchLabels ?? {},
    accessLogging: spec.accessLogging.map(({ match, disabled, filter }) => ({
      side: sides[match.mode],
      disabled,
      ...(filter === undefined ? {} : { filter: filter.expression }),
    })),
    createdAt,
  };
}
