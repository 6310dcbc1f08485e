import { z } from 'zod';
import type { MigrationGate } from '../../../../core/config/index.ts';
import { fields, oneOf } from '../../../../core/yaml/index.ts';
import { across, type Written } from '../across.ts';
import { defined } from '../defined.ts';
import { dnsLabel, httpUrl } from '../fields.ts';
import { noted } from '../refused.ts';
import { caFile, durationWithin, load, query, share, tokenFile } from './values.ts';

const minute = 60_000;
const samples = z.int().min(1).max(10_000_000);
const latencyLimit = durationWithin([1, '1ms'], [10 * minute, '10m']);
const timeout = durationWithin([100, '100ms'], [5 * minute, '5m']);
const asked = {
  url: httpUrl,
  tokenFile: noted(tokenFile, 'a bearer token, read at each use').optional(),
  caFile: caFile.optional(),
  timeout: noted(timeout, 'at most `interval`; default 5s').optional(),
};

const errorRate = fields({
  name: dnsLabel,
  type: z.literal('errorRate'),
  max: noted(share, 'of requests, as 1% or 0.01'),
  maxIncrease: noted(share, 'above the side that is left').optional(),
  minSamples: samples.optional(),
});

const latency = across(
  fields({
    name: dnsLabel,
    type: z.literal('latency'),
    percentile: z.number().gt(0, { error: belowHundred }).lt(100, { error: belowHundred }),
    max: latencyLimit.optional(),
    maxRatio: noted(z.number().gt(0).max(1000), 'times that of the side that is left').optional(),
    minSamples: samples.optional(),
  }),
  (value, report) => {
    if (value['max'] === undefined && value['maxRatio'] === undefined) report([], 'must hold max, maxRatio or both');
  },
);

const prometheus = across(
  fields({
    name: dnsLabel,
    type: z.literal('prometheus'),
    query,
    min: z.number().optional(),
    max: z.number().optional(),
    ...asked,
  }),
  ({ min, max }, report) => {
    if (min === undefined && max === undefined) report([], 'must hold min, max or both');
    if (typeof min === 'number' && typeof max === 'number' && min > max) report(['max'], 'must not be below min');
  },
);

const requestRate = fields({
  name: dnsLabel,
  type: z.literal('requestRate'),
  min: noted(z.number().gt(0, { error: 'must be above 0' }).max(1e9), 'requests and connections a second, to both sides'),
});

const saturation = fields({ name: dnsLabel, type: z.literal('saturation'), max: noted(load, 'of the capacity seen, as 80% or 0.8') });

const http = fields({ name: dnsLabel, type: z.literal('http'), ...asked });

function belowHundred(issue: { readonly input?: unknown }): string {
  return `must be above 0 and below 100, such as 99, not ${String(issue.input)}`;
}

const types = ['errorRate', 'latency', 'requestRate', 'saturation', 'prometheus', 'http'] as const;
const watching: readonly unknown[] = ['errorRate', 'latency', 'prometheus'];

const gate = z.discriminatedUnion('type', [errorRate, latency, requestRate, saturation, prometheus, http], {
  error: (issue) => {
    if (issue.code !== 'invalid_union') return undefined;
    const type = (issue.input as Written | undefined)?.['type'];
    return type === undefined ? `is required: one of ${types.join(', ')}` : oneOf(...types).safeParse(type).error?.issues[0]?.message;
  },
});

export type GateWritten = z.output<typeof gate>;

export const gates = z
  .array(gate)
  .max(20, { error: 'must be at most 20 gates' })
  .default([
    { name: 'error-rate', type: 'errorRate', max: 0.01 },
    { name: 'latency-p99', type: 'latency', percentile: 99, maxRatio: 1.5 },
  ]);

/** What gates must be together. `written`: of any type. */
export function reportGates(written: readonly unknown[], report: (path: readonly PropertyKey[], message: string) => void): void {
  const seen = new Map<unknown, number>();
  const of = (each: unknown, field: string): unknown => (each as Written | null | undefined)?.[field];
  for (const [i, each] of written.entries()) {
    const name = of(each, 'name');
    const first = seen.get(name);
    if (typeof name === 'string' && first !== undefined) report([i, 'name'], `is the name of gates[${first}] too`);
    else seen.set(name, i);
  }
  if (written.some((each) => watching.includes(of(each, 'type')))) return;
  report([], 'must hold one at least that watches traffic: errorRate, latency or prometheus');
}

/** `intervalMs`: bounds how long others are waited for. */
export function toGate(gate: GateWritten, intervalMs: number): MigrationGate {
  switch (gate.type) {
    case 'errorRate':
      return defined({ ...gate, type: 'error-rate' as const });
    case 'latency': {
      const { max, ...rest } = gate;
      return defined({ ...rest, maxMs: max });
    }
    case 'requestRate':
      return { ...gate, type: 'request-rate' };
    case 'saturation':
      return gate;
    default: {
      const { timeout: timeoutMs = Math.min(5000, intervalMs), ...rest } = gate;
      return defined({ ...rest, timeoutMs });
    }
  }
}
