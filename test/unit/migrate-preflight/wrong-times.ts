import { asTcp, errors, prometheus, slow } from './scene-changes.ts';
import type { WrongRow } from './wrong-row.ts';

/** What is wrong with steps, times and the native name. */
export const wrongTimes: readonly WrongRow[] = [
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
];
