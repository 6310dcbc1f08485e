import { z } from 'zod';
import { fields } from '../../../core/yaml/index.ts';
import { dnsLabel } from './fields.ts';
import { refused } from './refused.ts';

/* What a policy of a service says of whom it is for, as Istio's security kinds have it. */

const noStar = z.string().refine((text) => !text.includes('*'), { error: 'must not hold a *: labels are compared as they are' });
const labelKey = noStar.min(1, { error: 'must not be empty' });

export const matchLabels = fields({ matchLabels: z.record(labelKey, noStar).default({}) }).prefault({});

const serviceAlone = 'only Service: what else is there enforces no policy';

/** Services of the policy's own namespace. */
export const targetRefs = z
  .array(
    fields({
      group: z.enum(['', 'core'], { error: serviceAlone }).default(''),
      kind: z.literal('Service', { error: serviceAlone }),
      name: dnsLabel,
      namespace: refused('a target is of the namespace of the policy'),
    }),
  )
  .min(1, { error: 'must name at least one; leave the field out to select by labels' })
  .optional();

export function checkSelection(
  { selector, targetRefs: targets }: { selector: { matchLabels: Readonly<Record<string, string>> }; targetRefs?: unknown },
  ctx: z.core.$RefinementCtx,
): void {
  if (targets === undefined || Object.keys(selector.matchLabels).length === 0) return;
  ctx.addIssue({ code: 'custom', path: ['targetRefs'], message: 'must not stand beside selector' });
}

/** Names; undefined: whoever the labels select. */
export function targetsOf(targets: z.output<typeof targetRefs>): readonly string[] | undefined {
  return targets?.map(({ name }) => name);
}
