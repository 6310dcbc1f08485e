import type { FieldCase, ServiceSpec } from '../case.ts';
import { policy } from './destination.ts';

const places: readonly ServiceSpec[] = [
  {
    name: 'reviews',
    instances: {
      near: { locality: 'r1/z1/s1' },
      zone: { locality: 'r1/z2/s1' },
      r2: { locality: 'r2/z1/s1' },
      r3: { locality: 'r3/z1/s1' },
    },
  },
];
/** Where the own region has nobody. */
const away: readonly ServiceSpec[] = [
  {
    name: 'reviews',
    instances: { near: { locality: 'r1/z1/s1', down: true }, r2: { locality: 'r2/z1/s1' }, r3: { locality: 'r3/z1/s1' } },
  },
];
const outliers = 'outlierDetection: {consecutive5xxErrors: 2, interval: 0.2s, baseEjectionTime: 30s, maxEjectionPercent: 100}';

export const localityCases: readonly FieldCase[] = [
  {
    name: 'the own locality comes first',
    config: policy(`{${outliers}}`),
    services: places,
    steps: [{ ask: {}, times: 20, expect: { status: 200, by: 'near' } }],
  },
  {
    name: 'localityLbSetting.enabled: false',
    config: policy('{loadBalancer: {localityLbSetting: {enabled: false}}}'),
    services: places,
    steps: [{ ask: {}, times: 60, expect: { status: 200, by: ['near', 'zone', 'r2', 'r3'] } }],
  },
  {
    name: 'the next locality takes over where the first is not sound',
    config: policy(`{${outliers}}`),
    services: places,
    steps: [{ behave: { near: { status: 503 } }, ask: {}, times: 12, eventually: true, expect: { status: 200, by: 'zone' } }],
  },
  {
    name: 'localityLbSetting.distribute',
    config: policy('{loadBalancer: {localityLbSetting: {distribute: [{from: "r1/z1/*", to: {"r1/*": 70, "r3/*": 30}}]}}}'),
    services: [
      { name: 'reviews', instances: { near: { locality: 'r1/z1/s1' }, r2: { locality: 'r2/z1/s1' }, r3: { locality: 'r3/z1/s1' } } },
    ],
    steps: [{ ask: {}, times: 300, atOnce: 10, expect: { status: 200, by: ['near', 'r3'], shares: { near: 70, r3: 30 } } }],
  },
  {
    name: 'localityLbSetting.failover',
    config: policy(`{loadBalancer: {localityLbSetting: {failover: [{from: r1, to: r3}]}}, ${outliers}}`),
    services: away,
    steps: [{ ask: {}, times: 12, eventually: true, expect: { status: 200, by: 'r3' } }],
  },
  {
    name: 'localityLbSetting.failoverPriority',
    config: policy(`{loadBalancer: {localityLbSetting: {failoverPriority: ["tier=front"]}}, ${outliers}}`),
    services: [{ name: 'reviews', instances: { back: { labels: { tier: 'back' } }, front: { labels: { tier: 'front' } } } }],
    steps: [{ ask: {}, times: 20, expect: { status: 200, by: 'front' } }],
  },
];
