import { z } from 'zod';
import type { DestinationPolicy, DestinationRuleSpec } from '../../../../core/config/index.ts';
import { fields } from '../../../../core/yaml/index.ts';
import type { SpecContext } from '../../kinds/row.ts';
import { across, listOf, type Report, type Written } from '../across.ts';
import { later, noted, refused } from '../refused.ts';
import { clientTls, isMeshHost, toOutsideTls } from './client-tls.ts';
import { connectionPool, toConnections } from './connection-pool.ts';
import { loadBalancer, toLoadBalancer, toLocality } from './load-balancer.ts';
import { outlierDetection, toOutlier } from './outlier-detection.ts';
import { exportTo, host, labels, portNumber, subsetName } from './values.ts';

const perPort = {
  loadBalancer: loadBalancer.optional(),
  connectionPool: connectionPool.optional(),
  outlierDetection: outlierDetection.optional(),
  tls: clientTls.optional(),
};

const retryBudget = fields({
  percent: z.number().min(0).max(100).default(20),
  minRetryConcurrency: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .default(3),
  budgetInterval: later('a retry budget over a time; without it requests that run now count'),
});

const trafficPolicy = across(
  fields({
    ...perPort,
    portLevelSettings: noted(
      z.array(fields({ port: fields({ number: portNumber }), ...perPort })),
      'takes the place of the rest for its port, as in Istio',
    ).default([]),
    retryBudget: retryBudget.optional(),
    proxyProtocol: refused('callers are known by their certificate, not by a header of the connection'),
    tunnel: refused('between networks gateways of the mesh tunnel by themselves'),
  }),
  (value, report) =>
    repeats(value['portLevelSettings'], (each) => (each['port'] as Written | null)?.['number'], report, [
      ['portLevelSettings'],
      ['port', 'number'],
    ]),
);

const subset = fields({ name: subsetName, labels: labels.default({}), trafficPolicy: trafficPolicy.optional() });

/** Reports what stands twice in a list, by a key that each should have for itself. */
function repeats(
  list: unknown,
  key: (each: Written) => unknown,
  report: Report,
  [at, inside]: readonly [readonly string[], readonly string[]],
) {
  const known = listOf(list).map((each) => (typeof each === 'object' && each !== null ? key(each as Written) : undefined));
  known.forEach((each, i) => {
    const first = known.indexOf(each);
    if (each !== undefined && first < i) report([...at, i, ...inside], `is there already, in ${at.join('.')}[${first}]`);
  });
}

/** Istio's DestinationRule. */
export const destinationRuleSchema = across(
  fields({
    host: noted(host, "looked for in the caller's namespace, then in the service's, then in `isthmus-system`"),
    trafficPolicy: trafficPolicy.optional(),
    subsets: z.array(subset).default([]),
    exportTo,
    workloadSelector: refused('for some callers match sourceLabels in a VirtualService, and lead them to a subset'),
  }),
  (value, report) => {
    repeats(value['subsets'], (each) => each['name'], report, [['subsets'], ['name']]);
    if (typeof value['host'] !== 'string' || !isMeshHost(value['host'])) return;
    checkTls(value['trafficPolicy'], ['trafficPolicy'], report);
    listOf(value['subsets']).forEach((each, i) => {
      checkTls((each as Written | null)?.['trafficPolicy'], ['subsets', i, 'trafficPolicy'], report);
    });
  },
);

/** Between workloads of the mesh there is nothing but its own mTLS. */
function checkTls(policy: unknown, path: readonly PropertyKey[], report: Report): void {
  if (typeof policy !== 'object' || policy === null) return;
  const { tls, portLevelSettings } = policy as Written;
  const mode = typeof tls === 'object' && tls !== null ? ((tls as Written)['mode'] ?? 'DISABLE') : undefined;
  if (mode === 'DISABLE') {
    report(
      [...path, 'tls', 'mode'],
      'must not be DISABLE for a mesh host: which endpoints have no mTLS is said by tlsMode of their Registry',
    );
  } else if (mode === 'SIMPLE' || mode === 'MUTUAL') {
    report([...path, 'tls', 'mode'], `${mode} is for hosts outside the mesh: to this one callers speak the mTLS of the mesh; remove it`);
  }
  for (const [i, each] of listOf(portLevelSettings).entries()) checkTls(each, [...path, 'portLevelSettings', i], report);
}

type WrittenPolicy = z.output<typeof trafficPolicy>;

export function toDestinationRule(spec: z.output<typeof destinationRuleSchema>, { createdAt }: SpecContext): DestinationRuleSpec {
  return {
    host: spec.host,
    policy: toPolicy(spec.trafficPolicy, spec.host),
    subsets: spec.subsets.map((each) => ({ name: each.name, labels: each.labels, policy: toPolicy(each.trafficPolicy, spec.host) })),
    exportTo: spec.exportTo,
    createdAt,
  };
}

function toPolicy(written: WrittenPolicy | undefined, of: string): DestinationPolicy {
  if (written === undefined) return { ports: [] };
  const { retryBudget: budget, portLevelSettings } = written;
  return {
    ...toPart(written, of),
    ...(budget === undefined ? {} : { retryBudget: { percent: budget.percent, minRetries: budget.minRetryConcurrency } }),
    ports: portLevelSettings.map(({ port, ...rest }) => ({ port: port.number, policy: toPart(rest, of) })),
  };
}

type WrittenPart = Pick<WrittenPolicy, keyof typeof perPort>;

function toPart(written: WrittenPart, of: string): Omit<DestinationPolicy, 'ports'> {
  const { loadBalancer: said, connectionPool: pool, outlierDetection: outlier, tls } = written;
  const balancer = said === undefined ? undefined : toLoadBalancer(said);
  const near = said === undefined ? undefined : toLocality(said);
  const outside = tls === undefined ? undefined : toOutsideTls(tls, of);
  return {
    ...(balancer === undefined ? {} : { loadBalancer: balancer }),
    ...(near === undefined ? {} : { locality: near }),
    ...(pool === undefined ? {} : { connections: toConnections(pool) }),
    ...(outlier === undefined ? {} : { outlier: toOutlier(outlier) }),
    ...(outside === undefined ? {} : { tls: outside }),
  };
}
