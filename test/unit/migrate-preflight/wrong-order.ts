import { serviceKey } from '../../../core/model/index.ts';
import { service } from '../../support/mesh-records.ts';
import { put } from './scene-changes.ts';
import type { WrongRow } from './wrong-row.ts';

/** What is wrong with the end, and what has to come first. */
export const wrongOrder: readonly WrongRow[] = [
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
        '`isthmus migrate abort shop/orders-away`',
      ],
    ],
  },
  {
    title: 'a second migration of the service, after the first ended on the new side',
    scene: (s) => put(s, 'orders-away', { service: 'orders', phase: 'done', weight: 100 }),
    expect: [
      [
        'other-migrations',
        'fail',
        'moves shop/orders too (done): it left everything on east/kubernetes/prod, and this one would begin at consul/dc1',
        'delete it first, as its weights are in force: `isthmus delete migration shop/orders-away`',
      ],
    ],
  },
  {
    title: 'a second migration of the service, that nobody has started',
    scene: (s) => put(s, 'orders-away', { service: 'orders' }),
    expect: [
      ['other-migrations', 'fail', 'Migration shop/orders-away moves shop/orders too (reserved)', 'start that one, or `isthmus delete'],
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
    expect: [['other-migrations', 'warn', 'all migrations are frozen by anna: Black Friday', 'started after isthmus migrate unfreeze']],
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
