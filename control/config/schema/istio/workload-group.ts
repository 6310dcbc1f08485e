import type { z } from 'zod';
import type { WorkloadGroupSpec } from '../../../../core/config/index.ts';
import { fields } from '../../../../core/yaml/index.ts';
import { later, noted, refused } from '../refused.ts';
import { duration, labels } from './values.ts';
import { toWorkload, workloadFields } from './workload-entry.ts';

const { ports: _, ...template } = workloadFields;

/** Istio's API server keeps no field that Istio does not know: this stands where it has room for what is said of every instance. */
const expireAfter = 'isthmus.dev/expire-after';

/** Less than an agent that is restarted may take; longer than anybody means. */
const [leastMs, mostMs] = [30_000, 30 * 24 * 3_600_000];

const expiry = duration.refine((ms) => ms >= leastMs && ms <= mostMs, { error: 'must be 30s to 720h' });

/** Istio's WorkloadGroup. */
export const workloadGroupSchema = fields({
  metadata: fields({
    labels: labels.default({}),
    annotations: fields({
      [expireAfter]: noted(
        expiry,
        'an instance that ended without a goodbye is forgotten after so long, 30s to 720h; 24h unless said. Nothing reads other annotations; use labels',
      ).optional(),
    }).prefault({}),
  }).prefault({}),
  template: fields({
    address: refused('each workload has its own: its agent tells it'),
    ports: refused('the port of a service is said by the token that a workload joins with, and by its agent'),
    ...template,
  }),
  probe: later('checks that come from the control plane; agents have --health'),
});

export function toWorkloadGroup(spec: z.output<typeof workloadGroupSchema>): WorkloadGroupSpec {
  const { labels: all, annotations } = spec.metadata;
  const expireAfterMs = annotations[expireAfter];
  return {
    labels: all,
    template: toWorkload({ ...spec.template, ports: {} }),
    ...(expireAfterMs === undefined ? {} : { expireAfterMs }),
  };
}
