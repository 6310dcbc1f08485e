import type { FieldCase } from '../case.ts';
import { always, rules, toV1 } from './answers.ts';

/** Rules over several subsets, copies and other objects. */
export const routeCases: readonly FieldCase[] = [
  {
    name: 'weights',
    config: always(
      'route: [{destination: {host: reviews, subset: v1}, weight: 80}, {destination: {host: reviews, subset: v2}, weight: 20}]',
    ),
    steps: [{ ask: {}, times: 400, atOnce: 10, expect: { status: 200, by: ['v1', 'v2'], shares: { v1: 80, v2: 20 } } }],
  },
  {
    name: 'weight 0 takes nothing',
    config: always(
      'route: [{destination: {host: reviews, subset: v1}, weight: 100}, {destination: {host: reviews, subset: v2}, weight: 0}]',
    ),
    steps: [{ ask: {}, times: 40, atOnce: 10, expect: { status: 200, by: 'v1' } }],
  },
  {
    name: 'another service, by host and port',
    config: rules(`    - {match: [{uri: {prefix: /r}}], route: [{destination: {host: ratings, port: {number: 9080}}}]}
    - {match: [{uri: {prefix: /n}}], route: [{destination: {host: ratings.$NS.svc.cluster.local, port: {number: 9080}}}]}
    - {${toV1}}`),
    services: [
      { name: 'reviews', instances: { v1: {}, v2: {} } },
      { name: 'ratings', ports: { 9080: 'http', 9090: 'http' }, instances: { stars: {} } },
    ],
    steps: [
      { ask: { path: '/r' }, expect: { status: 200, by: 'stars' } },
      { ask: { path: '/n' }, expect: { status: 200, by: 'stars' } },
      { ask: {}, expect: { status: 200, by: 'v1' } },
    ],
  },
  {
    name: 'mirror, with what share of it',
    config: rules(`    - match: [{uri: {exact: /all}}]
      mirror: {host: reviews, subset: v2}
      ${toV1}
    - match: [{uri: {exact: /value}}]
      mirror: {host: reviews, subset: v2}
      mirrorPercentage: {value: 100}
      ${toV1}
    - match: [{uri: {exact: /percent}}]
      mirror: {host: reviews, subset: v2}
      mirrorPercent: 100
      ${toV1}
    - match: [{uri: {exact: /none}}]
      mirror: {host: reviews, subset: v2}
      mirrorPercentage: {value: 0}
      ${toV1}
    - match: [{uri: {exact: /some}}]
      mirror: {host: reviews, subset: v2}
      mirrorPercentage: {value: 30}
      ${toV1}`),
    steps: [
      ...['all', 'value', 'percent', 'none'].map((path) => ({
        ask: { path: `/${path}` },
        times: 5,
        expect: { status: 200, by: 'v1', came: { v1: 5, v2: path === 'none' ? 0 : 5 } },
      })),
      // 90 of 300, within six standard deviations.
      {
        ask: { path: '/some' },
        times: 300,
        atOnce: 5,
        expect: { status: 200, by: 'v1', came: { v1: 300 }, between: { v2: [43, 137] as const } },
      },
    ],
  },
  {
    name: 'mirrors',
    config: always(`mirrors:
  - {destination: {host: reviews, subset: v2}, percentage: {value: 100}}
  - {destination: {host: reviews, subset: v3}, percentage: {value: 100}}
${toV1}`),
    // Whatever the length of their bodies.
    steps: [0, 70_000, 300_000].map((bodyBytes) => ({
      ask: { method: 'PUT', bodyBytes },
      times: 5,
      expect: { status: 200, by: 'v1', came: { v1: 5, v2: 5, v3: 5 } },
    })),
  },
  {
    name: 'delegate',
    config: `${rules(`    - match: [{uri: {prefix: /team}}]
      delegate: {name: team, namespace: $NS}
    - {${toV1}}`)}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: team}
spec:
  http:
    - match: [{uri: {prefix: /team/b}}]
      route: [{destination: {host: reviews.$NS.svc.cluster.local, subset: v3}}]
    - route: [{destination: {host: reviews.$NS.svc.cluster.local, subset: v2}}]
`,
    steps: [
      { ask: { path: '/team/b' }, expect: { status: 200, by: 'v3' } },
      { ask: { path: '/team/a' }, expect: { status: 200, by: 'v2' } },
      { ask: { path: '/' }, expect: { status: 200, by: 'v1' } },
    ],
  },
];
