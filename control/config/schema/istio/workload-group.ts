import type { z } from 'zod';
import type { WorkloadGroupSpec } from '../../../../core/config/index.ts';
import { fields } from '../../../../core/yaml/index.ts';
import { later, refused } from '../refused.ts';
import { labels } from './values.ts';
import { toWorkload, workloadFields } from './workload-entry.ts';

const { ports: _, ...template } = workloadFields;

/** Istio's WorkloadGroup. */
export const workloadGroupSchema = fields({
  metadata: fields({
    labels: labels.default({}),
    annotations: refused('nothing here reads them; use labels'),
  }).prefault({}),
  template: fields({
    address: refused('each workload has its own: its agent tells it'),
    ports: refused('the port of a service is said by the token that a workload joins with, and by its agent'),
    ...template,
  }),
  probe: later('checks that come from the control plane; agents have --health'),
});

export function toWorkloadGroup(spec: z.output<typeof workloadGroupSchema>): WorkloadGroupSpec {
  return { labels: spec.metadata.labels, template: toWorkload({ ...spec.template, ports: {} }) };
}
