import { z } from 'zod';
import type { MigrationSpec, MigrationStep } from '../../../../core/config/index.ts';
import { fields, oneOf } from '../../../../core/yaml/index.ts';
import { across, listOf, type Report, type Written } from '../across.ts';
import { defined } from '../defined.ts';
import { dnsLabel, duration, httpUrl } from '../fields.ts';
import { noted } from '../refused.ts';
import { gates, reportGates, toGate } from './gates.ts';
import { action, caFile, durationWithin, tenths, tokenFile, wait } from './values.ts';

const second = 1000;
const minute = 60 * second;

const registry = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\/[A-Za-z0-9._-]{1,128}$/, {
  error: 'must be a source as `isthmus status` names it, such as consul/dc1 or kubernetes/prod',
});

const side = fields({ registry, cluster: noted(dnsLabel, 'default: the cluster that owns the object').optional() });

/** A weight alone is a step without anything of its own. */
const step = z.preprocess(
  (said) => (typeof said === 'number' || typeof said === 'string' ? { weight: said } : said),
  fields({
    weight: noted(tenths, 'percent to the new side; a step may be written as this number alone'),
    bake: noted(wait, 'default: that of all steps').optional(),
    approval: noted(z.boolean(), 'it begins only once somebody has said so').default(false),
  }),
);

const unreachable = (after: number) =>
  fields({ action: oneOf(...action).default('hold'), after: noted(wait, 'longer than this').default(after) }).prefault({});

const shape = fields({
  service: noted(dnsLabel, "in the object's own namespace"),
  from: side,
  to: side,
  mirror: fields({ percent: noted(tenths, 'of requests that are copied').default(100), bake: wait.default(5 * minute) }).optional(),
  bake: noted(wait, 'of each step that says none').default(5 * minute),
  steps: z
    .array(step)
    .min(1, { error: 'must hold at least one step' })
    .max(100, { error: 'must be at most 100 steps' })
    .prefault([1, 5, 25, 50, 100]),
  interval: noted(durationWithin([second, '1s'], [60 * minute, '1h']), 'between two looks at the gates').default(15 * second),
  baseline: noted(wait, 'how long the side that is left is measured first').default(minute),
  confidence: z.number().gt(0.5, { error: notConfidence }).lt(1, { error: notConfidence }).default(0.95),
  gates,
  onNoData: unreachable(5 * minute),
  onPartition: unreachable(minute),
  drain: fields({
    timeout: noted(wait, 'open streams on the old side are waited for').default(10 * minute),
    bake: noted(wait, 'without any connection from outside the mesh').default(10 * minute),
  }).prefault({}),
  nativeName: fields({
    registry,
    atWeight: noted(tenths, 'with the step of this weight, or more').default(100),
  }).optional(),
  dependsOn: z
    .array(
      noted(
        z.string().regex(/^([a-z0-9-]{1,63}\/)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, {
          error: 'must be a Migration, as NAME or NAMESPACE/NAME',
        }),
        'NAME or NAMESPACE/NAME',
      ),
    )
    .max(50, { error: 'must be at most 50' })
    .default([]),
  webhooks: z
    .array(fields({ url: httpUrl, tokenFile: tokenFile.optional(), caFile: caFile.optional() }))
    .max(10, { error: 'must be at most 10' })
    .default([]),
});

function notConfidence(issue: { readonly input?: unknown }): string {
  return `must be above 0.5 and below 1, such as 0.95, not ${String(issue.input)}`;
}

export const migrationSchema = across(shape, (value, report) => {
  reportSides(value, report);
  reportWeights(listOf(value['steps']), report);
  if (Array.isArray(value['gates'])) {
    reportGates(value['gates'], (path, message) => report(['gates', ...path], message));
    reportTimeouts(value, report);
  }
});

function reportSides({ from, to }: Written, report: Report): void {
  const of = (written: unknown) => (typeof written === 'object' && written !== null ? (written as Written) : {});
  const [a, b] = [of(from), of(to)];
  if (a['registry'] === undefined || a['registry'] !== b['registry']) return;
  // Left out and named may be one cluster: who owns the object is not known here, and says so when it plans.
  if (a['cluster'] === b['cluster']) report(['to'], 'is the same as from: there is nothing to move');
}

function reportWeights(steps: readonly unknown[], report: Report): void {
  const weights = steps.map((each) => (typeof each === 'object' && each !== null ? (each as Written)['weight'] : each));
  for (const [i, weight] of weights.entries()) {
    const before = weights[i - 1];
    if (typeof weight === 'number' && typeof before === 'number' && weight <= before)
      report(['steps', i], `must be above the step before, which is ${before}, not ${weight}`);
  }
  const last = weights.at(-1);
  if (typeof last === 'number' && last !== 100) report(['steps', weights.length - 1], `the last step must be 100, not ${last}`);
}

/** What takes longer than an interval would be judged an interval late. */
function reportTimeouts({ gates: written, interval }: Written, report: Report): void {
  const most = msOf(interval ?? 15 * second);
  for (const [i, each] of listOf(written).entries()) {
    const timeout = msOf((each as Written | null)?.['timeout']);
    if (timeout !== undefined && most !== undefined && timeout > most)
      report(['gates', i, 'timeout'], 'must not be longer than interval, which is 15s unless it is said');
  }
}

/** Of a duration, whether it has been read already or stands as it was written. */
function msOf(said: unknown): number | undefined {
  return typeof said === 'number' ? said : duration.safeParse(said).data;
}

/** Of a migration that waits for itself; paths are the spec's. */
export function waitsForItself(raw: unknown, { namespace, name }: { namespace: string; name: string }): z.core.$ZodIssue[] {
  const written = listOf((raw as Written | null)?.['dependsOn']);
  return written.flatMap((each, i) =>
    typeof each === 'string' && withNamespace(each, namespace) === `${namespace}/${name}`
      ? [{ code: 'custom', path: ['dependsOn', i], message: 'is this Migration itself: it would wait for ever', input: each }]
      : [],
  );
}

function withNamespace(text: string, namespace: string): string {
  return text.includes('/') ? text : `${namespace}/${text}`;
}

export function toMigration(spec: z.output<typeof migrationSchema>, namespace: string): MigrationSpec {
  const { mirror, nativeName, interval: intervalMs, drain } = spec;
  return {
    service: spec.service,
    from: { cluster: spec.from.cluster ?? '', registry: spec.from.registry },
    to: { cluster: spec.to.cluster ?? '', registry: spec.to.registry },
    ...(mirror === undefined ? {} : { mirror: { percent: mirror.percent, bakeMs: mirror.bake } }),
    steps: spec.steps.map(({ weight, bake: bakeMs = spec.bake, approval }): MigrationStep => ({ weight, bakeMs, approval })),
    intervalMs,
    baselineMs: spec.baseline,
    confidence: spec.confidence,
    gates: spec.gates.map((gate) => toGate(gate, intervalMs)),
    onNoData: { action: spec.onNoData.action, afterMs: spec.onNoData.after },
    onPartition: { action: spec.onPartition.action, afterMs: spec.onPartition.after },
    drain: { timeoutMs: drain.timeout, bakeMs: drain.bake },
    ...(nativeName === undefined ? {} : { nativeName }),
    dependsOn: [...new Set(spec.dependsOn.map((each) => withNamespace(each, namespace)))],
    webhooks: spec.webhooks.map((each) => defined(each)),
  };
}
