import assert from 'node:assert/strict';
import test from 'node:test';
import type { WorkloadGroupSpec } from '../../../core/config/index.ts';
import { withGroup } from '../../../registries/vm/with-group.ts';

const workload = {
  role: 'workload',
  instance: 'vm-1',
  namespace: 'shop',
  serviceAccount: 'orders',
  grant: 'g',
  generation: 1,
  replica: 'r',
  network: 'vm',
  labels: { version: 'v2' },
  locality: '',
  version: '',
  registeredAt: 1,
  draining: false,
  expired: false,
  addresses: ['10.0.0.1'],
  inboundPort: 15006,
  services: [],
  group: 'shop/vms',
} as const;
const template = { ports: {}, labels: { version: 'v1', tier: 'back' }, network: '', locality: 'eu/a', weight: 3, serviceAccount: '' };
const group: WorkloadGroupSpec = { labels: { app: 'orders', tier: 'front' }, template };
const groups = (found: WorkloadGroupSpec | undefined) => ({ of: () => found, subscribe: () => () => undefined });

test('a group stands under what the agent says, and its template over its metadata', () => {
  const grouped = withGroup(workload, groups(group));
  assert.deepEqual(grouped.labels, { app: 'orders', tier: 'back', version: 'v2' });
  assert.deepEqual([grouped.locality, grouped.weight], ['eu/a', 3]);
  assert.equal(withGroup({ ...workload, locality: 'eu/b' }, groups(group)).locality, 'eu/b');
});

test('without its group, or without any, a workload is what its agent says', () => {
  assert.equal(withGroup(workload, groups(undefined)), workload);
  const { group: _, ...alone } = workload;
  assert.equal(withGroup(alone, groups(group)), alone);
});
