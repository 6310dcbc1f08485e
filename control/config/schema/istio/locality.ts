import { z } from 'zod';
import { fields } from '../../../../core/yaml/index.ts';
import { across, listOf, type Written } from '../across.ts';

/** REGION/ZONE/SUBZONE; what is behind a `*` is open. */
const place = z.string().regex(/^(\*|[^/*]+(\/[^/*]+){0,2}(\/\*)?)$/, {
  error: 'must be REGION/ZONE/SUBZONE, or with a * as its last part, such as eu-west/*',
});
const region = z.string().regex(/^[^/*]+$/, { error: 'must be a region alone, without zone and without *' });

const shares = across(z.record(z.string(), z.int().min(1).max(100)), (value, report) => {
  // As a record's key its own words would be lost.
  for (const key of Object.keys(value)) for (const { message } of place.safeParse(key).error?.issues ?? []) report([key], message);
  const weights = Object.values(value).filter((each): each is number => typeof each === 'number');
  const sum = weights.reduce((a, b) => a + b, 0);
  if (sum !== 100 && weights.length === Object.keys(value).length) report([], `must sum to 100, not ${sum}`);
});

const distribute = z.array(fields({ from: place, to: shares })).default([]);

const failover = across(fields({ from: region, to: region }), (value, report) => {
  if (value['from'] === value['to']) report(['to'], 'is the region that was lost');
});

const priority = z.string().regex(/^[^=\s]+(=[^=\s]*)?$/, { error: 'must be the key of a label, or KEY=VALUE' });

/** Istio's LocalityLoadBalancerSetting; unlike there, the lists may be given together. */
export const locality = across(
  fields({
    enabled: z.boolean().default(true),
    distribute,
    failover: z.array(failover).default([]),
    failoverPriority: z.array(priority).default([]),
  }),
  (value, report) => {
    for (const name of ['distribute', 'failover']) {
      const sources = listOf(value[name]).map((each) => (each as Written | null)?.['from']);
      sources.forEach((from, i) => {
        const first = sources.indexOf(from);
        if (first < i && from !== undefined) report([name, i, 'from'], `is there already, in ${name}[${first}]`);
      });
    }
  },
);
