import { z } from 'zod';
import type { OutlierDetection } from '../../../../core/traffic/index.ts';
import { fields } from '../../../../core/yaml/index.ts';
import { across } from '../across.ts';
import { later, noted, refused } from '../refused.ts';
import { duration } from './values.ts';

const count = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);
const percent = z.int().min(0).max(100);

/** Istio's OutlierDetection, with its defaults. */
export const outlierDetection = across(
  fields({
    consecutive5xxErrors: count.default(5),
    consecutiveGatewayErrors: count.default(0),
    splitExternalLocalOriginErrors: z.boolean().default(false),
    consecutiveLocalOriginFailures: noted(count, 'with splitExternalLocalOriginErrors; at least 1').optional(),
    consecutiveErrors: refused('write consecutive5xxErrors or consecutiveGatewayErrors'),
    interval: duration.default(10_000),
    baseEjectionTime: duration.default(30_000),
    maxEjectionPercent: percent.default(10),
    minHealthPercent: percent.default(0),
    outlierDetectionHttpErrorCodes: later('a choice of the status codes that count'),
  }),
  (value, report) => {
    const { splitExternalLocalOriginErrors: split, consecutiveLocalOriginFailures: failures } = value;
    const at = ['consecutiveLocalOriginFailures'];
    if (failures === 0) report(at, 'must be at least 1: who cannot be reached at all would never be ejected');
    else if (failures !== undefined && split !== true) report(at, 'means nothing without splitExternalLocalOriginErrors: true');
  },
);

/** Envoy's default, unless one ejection is longer. */
const maxEjectionMs = 300_000;

export function toOutlier(written: z.output<typeof outlierDetection>): OutlierDetection {
  const { splitExternalLocalOriginErrors: split, consecutiveLocalOriginFailures = 5 } = written;
  return {
    consecutive5xx: written.consecutive5xxErrors,
    consecutiveGatewayErrors: written.consecutiveGatewayErrors,
    consecutiveLocalOriginFailures: split ? consecutiveLocalOriginFailures : 0,
    intervalMs: written.interval,
    baseEjectionMs: written.baseEjectionTime,
    maxEjectionMs: Math.max(maxEjectionMs, written.baseEjectionTime),
    maxEjectionPercent: written.maxEjectionPercent,
    minHealthPercent: written.minHealthPercent,
  };
}
