import { asTcp, errors, istio, prometheus, routed, subsets, to } from './scene-changes.ts';
import type { WrongRow } from './wrong-row.ts';

/** What is wrong with the rules in the way and with the gates. */
export const wrongGates: readonly WrongRow[] = [
  {
    title: 'a rule that leads to a subset',
    scene: (s) => s.documents.push(subsets, routed('orders', { route: [to('orders', { subset: 'v1' })] })),
    expect: [
      [
        'rules',
        'fail',
        'leads to subset v1 of shop/orders: what it takes stays there, whatever the weight',
        'let it lead to shop/orders without a subset while it moves',
      ],
    ],
  },
  {
    title: 'another service whose rule leads to a subset of this one',
    scene: (s) =>
      s.documents.push(
        subsets,
        istio('VirtualService', 'stock', { hosts: ['stock'], http: [{ route: [to('orders', { subset: 'v1' })] }] }),
      ),
    expect: [['rules', 'fail', 'rule shop/stock', 'without a subset']],
  },
  {
    title: 'a rule that sends it all elsewhere',
    scene: (s) => s.documents.push(routed('orders', { route: [to('stock')] })),
    expect: [['rules', 'warn', 'answer themselves or lead to other services', 'see that the gates have enough']],
  },
  {
    title: 'rules that inject faults',
    scene: (s) =>
      s.documents.push(routed('orders', { fault: { abort: { percentage: { value: 1 }, httpStatus: 503 } }, route: [to('orders')] })),
    expect: [['rules', 'warn', 'inject faults, which are on both sides', 'take them away before the start']],
  },
  {
    title: 'rules that are not in force',
    scene: (s) => s.documents.push(routed('orders', { route: [to('orders', { subset: 'v9' })] })),
    expect: [
      ['rules', 'fail', 'VirtualService shop/orders', 'mend VirtualService shop/orders first'],
      ['rules', 'warn', 'answer themselves or lead to other services', ''],
    ],
  },
  {
    title: 'a limit that the time-out of a rule hides',
    scene: (s) => s.documents.push(routed('orders', { timeout: '1s', route: [to('orders')] })),
    migration: { bake: '15m', gates: [errors, { name: 'tail', type: 'latency', percentile: 99, max: '2s' }] },
    expect: [['rules', 'warn', 'gate tail allows 2s, and rule', 'set max below 1s']],
  },
  {
    title: 'no gate that watches the moving side',
    spec: () => ({ gates: [{ name: 'traffic', type: 'request-rate', min: 1 }] }),
    expect: [['gates', 'fail', 'no gate watches what the moving side answers', 'add a gate of type errorRate']],
  },
  {
    title: 'two gates of one name',
    spec: (s) => ({ gates: [...s.gates, ...s.gates.slice(0, 1)], steps: s.steps.map((step) => ({ ...step, bakeMs: 900_000 })) }),
    expect: [['gates', 'fail', 'several gates are named error-rate', 'give each a name of its own']],
  },
  {
    title: 'an error rate that the old side breaks already',
    scene: (s) => {
      if (s.seen !== undefined) s.seen = { ...s.seen, errors: 5_400 };
    },
    migration: { bake: '15m' },
    expect: [
      [
        'gates',
        'fail',
        'gate error-rate allows 1 %, and 3 % fail on the old side now: it would roll back what is no worse',
        'set max to 4.5%',
      ],
    ],
  },
  {
    title: 'a latency that the old side breaks already',
    migration: { bake: '15m', gates: [errors, { name: 'tail', type: 'latency', percentile: 99, max: '50ms' }] },
    expect: [['gates', 'fail', 'gate tail allows 50ms at the 99th percentile, and the old side takes 95ms now', 'set max above 95ms']],
  },
  {
    title: 'a request rate that nobody reaches',
    migration: { bake: '15m', gates: [errors, { name: 'traffic', type: 'requestRate', min: 100 }] },
    expect: [['gates', 'fail', 'gate traffic needs 100/s to both sides, and 50/s were seen', 'set min below 50/s']],
  },
  {
    title: 'latency of connections',
    scene: asTcp,
    migration: { bake: '15m' },
    expect: [
      ['gates', 'fail', 'gate latency-p99 (latency) judges requests, and shop/orders has connections only (tcp)', 'gate on errorRate'],
      ['pace', 'fail', 'gate latency-p99 needs 299 samples, which at 1 % of 0/s take for ever', 'begin when there is traffic of that kind'],
    ],
  },
  {
    title: 'saturation of connections',
    scene: asTcp,
    migration: { bake: '15m', gates: [errors, { name: 'room', type: 'saturation', max: 1.2 }] },
    expect: [['gates', 'fail', 'gate room (saturation) judges requests', 'or declare the protocol of its ports']],
  },
  {
    title: 'a Prometheus that is no URL',
    migration: { bake: '15m' },
    spec: (s) => ({
      gates: [
        ...s.gates,
        { name: 'own', type: 'prometheus', url: 'prometheus:9090', query: 'x{service="$service"}', max: 1, timeoutMs: 1_000 },
      ],
    }),
    expect: [['gates', 'fail', 'prometheus:9090 is no http or https URL', 'write it as http(s)://HOST:PORT']],
  },
  {
    title: 'a query with a placeholder that is none',
    spec: (s) => ({
      steps: s.steps.map((step) => ({ ...step, bakeMs: 900_000 })),
      gates: [
        ...s.gates,
        { name: 'own', type: 'prometheus', url: 'http://p:9090', query: 'x{service="$servce"}', max: 1, timeoutMs: 1_000 },
      ],
    }),
    expect: [
      ['gates', 'fail', '$servce stands for nothing; did you mean $service?', 'use $service, $namespace, $weight and $interval'],
      ['gates', 'warn', 'gate own asks for nothing of orders', 'select the moving side'],
    ],
  },
  {
    title: 'a query with a bracket open',
    migration: { bake: '15m', gates: prometheus({ query: 'sum(rate(errors_total{service="$service"}[$interval])' }) },
    expect: [['gates', 'fail', '( in the query has no other half: Prometheus would refuse it', 'complete it']],
  },
  {
    title: 'a query that asks for nothing of the service',
    migration: { bake: '15m', gates: prometheus({ query: 'up == bool 1' }) },
    expect: [
      [
        'gates',
        'warn',
        'gate own asks for nothing of orders: it may measure something that does not move',
        'select the moving side in the query',
      ],
    ],
  },
  {
    title: 'limits that nothing is within',
    spec: (s) => ({
      steps: s.steps.map((step) => ({ ...step, bakeMs: 900_000 })),
      gates: [
        ...s.gates,
        { name: 'own', type: 'prometheus', url: 'http://p:9090', query: 'x{service="$service"}', min: 2, max: 1, timeoutMs: 1_000 },
      ],
    }),
    expect: [['gates', 'fail', 'gate own allows 2 at least and 1 at most', 'swap them']],
  },
  {
    title: 'a token in the clear',
    migration: { bake: '15m', gates: prometheus({ tokenFile: '/etc/isthmus/migration-tokens/prometheus' }) },
    expect: [['gates', 'warn', 'the token would go to prometheus:9090 in the clear', 'use https']],
  },
  {
    title: 'a webhook with its password in the URL',
    migration: { bake: '15m' },
    spec: () => ({ webhooks: [{ url: 'https://me:secret@example.com/' }] }),
    expect: [['gates', 'fail', 'a credential is in the URL', 'name that as tokenFile']],
  },
];
