import { z } from 'zod';
import { fields, oneOf } from '../../../../core/yaml/index.ts';
import { across, listOf, type Report, type Written } from '../across.ts';
import { dnsLabel } from '../fields.ts';
import { noted } from '../refused.ts';
import { gatewayApiGroup, groupName, namespaceLabel } from './values.ts';

const unknownLabel = `labels of namespaces are not known in every registry: ${namespaceLabel}, which names one, is`;
const isKnown = { error: `is not supported, and is never ignored: ${unknownLabel}` };

const expression = fields({
  key: noted(z.string(), `${namespaceLabel} alone`).refine((key) => key === namespaceLabel, isKnown),
  operator: noted(z.string(), 'In').refine((operator) => operator === 'In', { error: 'is supported as In alone' }),
  values: z.array(dnsLabel).min(1, { error: 'must name at least one namespace' }),
});

/** A LabelSelector, as far as it names namespaces. */
const selector = across(
  fields({
    matchLabels: noted(z.record(z.string(), dnsLabel), `${namespaceLabel} alone`).default({}),
    matchExpressions: z.array(expression).default([]),
  }),
  (value, report) => {
    const written = value['matchLabels'];
    const keys = typeof written === 'object' && written !== null ? Object.keys(written) : [];
    for (const key of keys) if (key !== namespaceLabel) report(['matchLabels', key], isKnown.error);
    if (keys.length === 0 && listOf(value['matchExpressions']).length === 0) report([], 'selects every namespace: write from: All');
  },
);

const namespaces = across(
  fields({ from: oneOf('Same', 'All', 'Selector').default('Same'), selector: selector.optional() }),
  (value, report) => {
    const bySelector = value['from'] === 'Selector';
    if (bySelector && value['selector'] === undefined) report(['selector'], 'is required with from: Selector');
    if (!bySelector && value['selector'] !== undefined) report(['selector'], 'means nothing without from: Selector');
  },
);

const routeKinds = ['HTTPRoute', 'GRPCRoute', 'TLSRoute', 'TCPRoute'] as const;

/** AllowedRoutes. */
export const allowedRoutes = fields({
  namespaces: namespaces.optional(),
  kinds: z
    .array(fields({ group: groupName.default(gatewayApiGroup), kind: oneOf(...routeKinds) }))
    .max(8)
    .default([]),
});

const ofProtocol: Readonly<Record<string, readonly string[]>> = {
  HTTP: ['HTTPRoute', 'GRPCRoute'],
  HTTPS: ['HTTPRoute', 'GRPCRoute'],
  TLS: ['TLSRoute', 'TCPRoute'],
  TCP: ['TCPRoute'],
};

/** Kinds that a listener cannot carry. */
export function checkKinds({ protocol, allowedRoutes: written }: Written, report: Report): void {
  const carried = ofProtocol[String(protocol)];
  if (carried === undefined || typeof written !== 'object' || written === null) return;
  listOf((written as Written)['kinds']).forEach((each, i) => {
    const kind = (each as Written | null)?.['kind'];
    if (typeof kind === 'string' && routeKinds.some((known) => known === kind) && !carried.includes(kind))
      report(['allowedRoutes', 'kinds', i, 'kind'], `cannot attach to protocol ${String(protocol)}: it carries ${carried.join(', ')}`);
  });
}

/** Of all that are selected in both ways only those in both. */
export function toRouteNamespaces(written: z.output<typeof namespaces> | undefined, own: string): readonly string[] {
  const { from = 'Same', selector: selected } = written ?? {};
  if (from === 'All') return ['*'];
  if (from === 'Same' || selected === undefined) return [own];
  const lists = [...Object.values(selected.matchLabels).map((each) => [each]), ...selected.matchExpressions.map((each) => each.values)];
  const [first = [], ...rest] = lists;
  return first.filter((each) => rest.every((list) => list.includes(each)));
}
