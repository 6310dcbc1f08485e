import { serviceKey } from '../../../core/model/index.ts';
import { service } from '../../support/mesh-records.ts';
import { changeOrders, type MigrationScene, migrationOf } from '../../support/preflight-scene.ts';
import type { WrongRow } from './wrong-row.ts';

const istio = (kind: string, name: string, spec: object) => ({
  apiVersion: 'networking.istio.io/v1',
  kind,
  metadata: { name, namespace: 'shop' },
  spec,
});
const subsets = istio('DestinationRule', 'orders', { host: 'orders', subsets: [{ name: 'v1', labels: { version: 'v1' } }] });
const routed = (name: string, http: object) => istio('VirtualService', name, { hosts: ['orders'], http: [http] });
const to = (host: string, more: object = {}) => ({ destination: { host, ...more } });
const asTcp = (scene: MigrationScene) => {
  for (const id of ['consul/dc1', 'kubernetes/prod'])
    changeOrders(scene, id, () => ({ ports: [{ name: 'http', port: 80, protocol: 'tcp' }] }));
  scene.seen = { seconds: 3_600, requests: 0, connections: 180_000, errors: 0, p50: null, p90: null, p99: null, inFlight: null };
};
const errors = { name: 'errors', type: 'errorRate', max: '1%' };
const prometheus = (more: object) => [
  errors,
  { name: 'own', type: 'prometheus', url: 'http://prometheus:9090', query: 'x{service="$service"}', max: 1, ...more },
];
const put = (
  scene: MigrationScene,
  name: string,
  more: { service?: string; phase?: never | string; dependsOn?: readonly string[] } = {},
) => {
  const { service: moved = name, phase, dependsOn = [] } = more;
  const spec = { ...migrationOf({ service: moved }), dependsOn };
  scene.migrations = [...scene.migrations, { namespace: 'shop', name, spec, ...(phase === undefined ? {} : { phase: phase as 'done' }) }];
};
const slow = (scene: MigrationScene) => {
  scene.seen = { seconds: 3_600, requests: 3_600, connections: 0, errors: 0, p50: 12, p90: 40, p99: 95, inFlight: 1 };
};

/** What is wrong with the rules in the way, the gates, the times, and what has to come first. */
export const wrongCourses: readonly WrongRow[] = [
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
  {
    title: 'weights that fall',
    spec: (s) => ({ steps: [5, 1, 100].map((weight) => ({ weight, bakeMs: 900_000, approval: false })), gates: s.gates }),
    expect: [['pace', 'fail', '1 % is not above 5 % of the step before', 'let weights rise']],
  },
  {
    title: 'weights that never end',
    spec: () => ({ steps: [5, 50].map((weight) => ({ weight, bakeMs: 900_000, approval: false })) }),
    expect: [['pace', 'fail', 'the last step is 50 %: the rest would stay for ever', 'add a step of 100']],
  },
  {
    title: 'a weight finer than proxies count',
    spec: () => ({ steps: [0.05, 100].map((weight) => ({ weight, bakeMs: 900_000, approval: false })) }),
    expect: [['pace', 'fail', '0.05 is no weight', 'use a multiple of 0.1 above 0']],
  },
  {
    title: 'a step that ends before anybody looks',
    migration: {
      steps: [
        { weight: 50, bake: '15m' },
        { weight: 100, bake: '10s' },
      ],
    },
    expect: [['pace', 'fail', 'the step to 100 % bakes 10s, less than one interval of 15s', 'bake 1m at least']],
  },
  {
    title: 'a gate that answers after it is needed',
    migration: { bake: '15m', gates: prometheus({}) },
    spec: (s) => ({ gates: s.gates.map((g) => (g.type === 'prometheus' ? { ...g, timeoutMs: 60_000 } : g)) }),
    expect: [['pace', 'fail', 'gate own may take 1m to answer, longer than the interval of 15s', 'set timeout to 15s or less']],
  },
  {
    title: 'a gate that could never get its samples',
    scene: slow,
    migration: { onNoData: { action: 'rollback', after: '10m' } },
    expect: [
      [
        'pace',
        'fail',
        'gate error-rate needs 299 samples, which at 1 % of 1/s take 8h18m20s, and the step bakes 5m, with 10m of patience for missing data: it would roll back',
        'begin with a larger weight',
      ],
      ['pace', 'fail', 'which at 5 % of 1/s take 1h39m40s', 'bake 1h59m36s'],
      ['pace', 'fail', 'which at 25 % of 1/s take 19m56s', 'or ask for fewer samples'],
      ['pace', 'warn', 'which at 50 % of 1/s take 9m58s, and the step bakes 5m: it will wait for the rest', 'bake 9m58s'],
    ],
  },
  {
    title: 'a gate that would hold for its samples',
    scene: slow,
    migration: {
      steps: [
        { weight: 5, bake: '10m' },
        { weight: 100, bake: '5m' },
      ],
    },
    expect: [['pace', 'warn', 'with 5m of patience for missing data: it would hold there', 'bake 1h59m36s']],
  },
  {
    title: 'patience that is none',
    migration: { bake: '15m', onNoData: { after: '5s' }, onPartition: { action: 'rollback', after: '5s' }, baseline: '5s' },
    expect: [
      ['pace', 'warn', 'hold after 5s without data comes with the first look that finds none', 'wait for 1m or more'],
      ['pace', 'warn', 'rollback after 5s of silence comes with one report that is late', 'wait for 15s or more'],
      ['pace', 'warn', 'a baseline of 5s is less than one interval', 'measure 1m or more'],
    ],
  },
  {
    title: 'a mirror of connections',
    scene: asTcp,
    migration: { bake: '15m', gates: [errors], mirror: { percent: 10 } },
    expect: [
      ['pace', 'fail', 'shop/orders has connections only: what cannot be told apart as requests cannot be copied', 'leave mirror out'],
    ],
  },
  {
    title: 'a mirror of what writes',
    migration: { bake: '15m', mirror: { percent: 10 } },
    expect: [['pace', 'warn', 'copies of 10 % of requests are carried out by the new side as well', 'mirror only what may be done twice']],
  },
  {
    title: 'a native name in no registry',
    migration: { bake: '15m', nativeName: { registry: 'consul/dc2' } },
    expect: [
      [
        'native-name',
        'fail',
        'there is no Registry consul/dc2 here; did you mean consul/dc1?',
        'use consul/dc1 and kubernetes/prod, or leave nativeName out',
      ],
    ],
  },
  {
    title: 'a native name in Nomad',
    scene: (s) => {
      const dc1 = s.registries['consul/dc1'];
      if (dc1 !== undefined) s.registries['nomad/dc1'] = { ...dc1, type: 'nomad', services: [] };
    },
    migration: { bake: '15m', nativeName: { registry: 'nomad/dc1' } },
    expect: [
      [
        'native-name',
        'fail',
        'the native name cannot be switched in nomad/dc1: Nomad takes no registrations from outside',
        'leave nativeName out',
      ],
      ['native-name', 'fail', 'nomad/dc1 does not hold shop/orders', 'name the registry that such callers ask'],
    ],
  },
  {
    title: 'a native name in a registry that is only read',
    scene: (s) => {
      const dc1 = s.registries['consul/dc1'];
      if (dc1 !== undefined) dc1.publish = false;
    },
    migration: { bake: '15m', nativeName: { registry: 'consul/dc1' } },
    expect: [
      [
        'native-name',
        'fail',
        'consul/dc1 is only read: nothing may be added under its names',
        'set spec.publish: true of Registry consul/dc1',
      ],
    ],
  },
  {
    title: 'a native name whose originals stay',
    scene: (s) => {
      const dc1 = s.registries['consul/dc1'];
      if (dc1 !== undefined) dc1.takeover = false;
    },
    migration: { bake: '15m', nativeName: { registry: 'consul/dc1' } },
    expect: [['native-name', 'warn', 'consul/dc1 does not say takeover: true', 'set spec.takeover: true of Registry consul/dc1']],
  },
  {
    title: 'a native name without gateways that serve it',
    scene: (s) => {
      s.gateways = s.gateways.map((g) => (g.network === 'vms' ? { ...g, healthy: false } : g));
      s.originateSources = [];
      s.gatewayPorts = [];
    },
    migration: { bake: '15m', nativeName: { registry: 'consul/dc1' } },
    expect: [
      ['network', 'warn', 'there is no way back', ''],
      ['native-name', 'fail', 'no healthy gateway is on network vms, where the callers of consul/dc1 are', 'run a gateway on network vms'],
      ['native-name', 'fail', 'gateways serve no caller without a sidecar', 'spec.originate.sources of the Mesh'],
      ['native-name', 'warn', 'shop/orders has no gateway port yet for 80', 'it gets one when the name is first published'],
    ],
  },
  {
    title: 'a native name whose gateways are refused',
    scene: (s) =>
      s.documents.push({
        apiVersion: 'security.istio.io/v1',
        kind: 'AuthorizationPolicy',
        metadata: { name: 'web-only', namespace: 'shop' },
        spec: {
          action: 'ALLOW',
          rules: [{ from: [{ source: { principals: ['mesh.test/ns/shop/sa/web', 'mesh.test/ns/shop/sa/orders'] } }] }],
        },
      }),
    migration: { bake: '15m', nativeName: { registry: 'consul/dc1' } },
    expect: [
      [
        'native-name',
        'fail',
        'shop/orders refuses the gateways, which call for those without a sidecar',
        'allow principal mesh.test/ns/isthmus-system/sa/gateway',
      ],
    ],
  },
  {
    title: 'a native name at a weight that never comes',
    migration: { bake: '15m', nativeName: { registry: 'consul/dc1' } },
    spec: () => ({ nativeName: { registry: 'consul/dc1', atWeight: 150 } }),
    expect: [['native-name', 'fail', 'no step has a weight of 150 or more: the last is 100', 'set it to 100 or less']],
  },
  {
    title: 'old machines whose sockets nobody sees',
    scene: (s) => {
      s.socketAgents = s.socketAgents.slice(1);
    },
    expect: [
      [
        'drain',
        'warn',
        'no agent reads the sockets of vm-1 (10.0.0.1): at the end its verdict will be unknown, never safe',
        'isthmus vm join TOKEN',
      ],
    ],
  },
  {
    title: 'a drain that waits for nobody',
    migration: { bake: '15m', drain: { timeout: '0', bake: '5s' } },
    expect: [
      ['drain', 'warn', '5s without a connection is less than many callers wait between two', 'set drain.bake to longer'],
      ['drain', 'warn', 'open streams are not waited for', 'set drain.timeout to as long as they last'],
    ],
  },
  {
    title: 'a second migration of the service, while the first runs',
    scene: (s) => put(s, 'orders-away', { service: 'orders', phase: 'stepping' }),
    expect: [
      [
        'other-migrations',
        'fail',
        'Migration shop/orders-away moves shop/orders too (stepping)',
        '`isthmus migrate abort orders-away -n shop`',
      ],
    ],
  },
  {
    title: 'a second migration of the service, after the first went back',
    scene: (s) => put(s, 'orders-away', { service: 'orders', phase: 'rolled-back' }),
    expect: [
      [
        'other-migrations',
        'fail',
        'moves shop/orders too (rolled-back)',
        'delete it first, as its weights are still in force: `isthmus delete Migration orders-away -n shop`',
      ],
    ],
  },
  {
    title: 'a Migration of that name, of another service',
    scene: (s) => put(s, 'orders-to-kubernetes-prod', { service: 'stock' }),
    expect: [
      [
        'other-migrations',
        'fail',
        'Migration shop/orders-to-kubernetes-prod is there already, of service stock',
        'give this one another name',
      ],
    ],
  },
  {
    title: 'a change of one that runs',
    scene: (s) => put(s, 'orders-to-kubernetes-prod', { service: 'orders', phase: 'baseline' }),
    expect: [
      ['other-migrations', 'warn', 'Migration shop/orders-to-kubernetes-prod is running (baseline)', 'a change counts from its next start'],
    ],
  },
  {
    title: 'a dependency that is not there',
    scene: (s) => put(s, 'stock', {}),
    migration: { bake: '15m', dependsOn: ['stok'] },
    expect: [['other-migrations', 'fail', 'there is no Migration shop/stok; did you mean shop/stock?', 'name one of shop/stock']],
  },
  {
    title: 'a dependency on itself',
    migration: { bake: '15m' },
    spec: () => ({ dependsOn: ['shop/orders-to-kubernetes-prod'] }),
    expect: [['other-migrations', 'fail', 'it depends on itself: it would wait for ever', 'take it out']],
  },
  {
    title: 'a cycle of dependencies',
    scene: (s) => {
      put(s, 'stock', { dependsOn: ['shop/web'] });
      put(s, 'web', { dependsOn: ['shop/orders-to-kubernetes-prod'] });
    },
    migration: { bake: '15m', dependsOn: ['stock'] },
    expect: [
      ['other-migrations', 'warn', 'Migration shop/stock is reserved: this one waits until it is done', 'start that one first'],
      [
        'other-migrations',
        'fail',
        'a cycle of dependencies: shop/orders-to-kubernetes-prod → shop/stock → shop/web → shop/orders-to-kubernetes-prod',
        'take shop/stock out',
      ],
    ],
  },
  {
    title: 'a dependency that went back',
    scene: (s) => put(s, 'stock', { phase: 'rolled-back' }),
    migration: { bake: '15m', dependsOn: ['stock'] },
    expect: [['other-migrations', 'warn', 'Migration shop/stock is rolled-back', 'start that one again, or take it out']],
  },
  {
    title: 'a freeze',
    scene: (s) => {
      s.freeze = { by: 'anna', reason: 'Black Friday' };
    },
    expect: [['other-migrations', 'warn', 'all migrations are frozen by anna: Black Friday', 'begins once they are thawed']],
  },
  {
    title: 'more at once than may be',
    scene: (s) => {
      s.limit = 1;
      put(s, 'stock', { phase: 'draining' });
    },
    expect: [['other-migrations', 'warn', '1 of at most 1 migrations run now (shop/stock): this one will wait', 'raise the limit']],
  },
  {
    title: 'nothing at all of what is asked for',
    request: { namespace: 'none', service: 'nothing', from: { cluster: '', registry: 'a/b' }, to: { cluster: '', registry: 'c/d' } },
    scene: (s) => {
      s.registries = {};
      s.calls = [{ source: { principal: '', cluster: '' }, destination: serviceKey('none', 'nothing'), requests: 1 }];
      s.exported = { west: { 'kubernetes/west': [service('none/else', [])] } };
    },
    expect: [
      ['sides', 'fail', 'east has no source a/b', 'configure a Registry first'],
      ['sides', 'fail', 'east has no source c/d', 'configure a Registry first'],
      ['service', 'fail', 'there is no service none/nothing', 'with its namespace'],
    ],
  },
];
