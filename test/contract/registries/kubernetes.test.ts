import { silentLog } from '../../../core/log.ts';
import { clusterId, sourceId } from '../../../core/model/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { createKubernetesSource } from '../../../registries/kubernetes/index.ts';
import { FakeKubernetes } from '../../fakes/kubernetes-api.ts';
import { service, slice } from '../../fakes/kubernetes-objects.ts';
import { rulesWith } from '../../unit/registry/records.ts';
import type { RegistryHarness } from './harness.ts';
import { registryContract } from './suite.ts';

const deps = { id: sourceId('kubernetes/main'), cluster: clusterId('east'), clock: systemClock, random: Math.random, log: silentLog };
// What a busy machine may take to answer, and how long silence goes unnoticed.
const hasty = { idleMs: 2_000, answerTimeoutMs: 2_000, watchMs: 2_000 };

async function fakeKubernetes(namespaces: readonly string[]): Promise<RegistryHarness> {
  const fake = await FakeKubernetes.start(50);
  const { storage } = fake;
  const ports = new Map<string, number>();
  const putSlice = (name: string, instance: string, ready: boolean) => {
    const port = ports.get(`${name}-${instance}`) ?? 0;
    storage.put(
      'endpointslices',
      slice(name, [{ address: '10.1.0.1', ready }], { name: `${name}-${instance}`, ports: [{ name: 'http', port, protocol: 'TCP' }] }),
    );
  };
  return {
    source: () =>
      createKubernetesSource(
        {
          type: 'kubernetes',
          rules: rulesWith(),
          publish: false,
          connection: { type: 'kubernetes', kubeconfig: fake.kubeconfig, namespaces },
        },
        deps,
        hasty,
      ),
    register: async (name, instance, port) => {
      ports.set(`${name}-${instance}`, port);
      if (storage.get('services', 'default', name) === undefined) storage.put('services', service(name));
      putSlice(name, instance, true);
    },
    deregister: async (name, instance) => {
      storage.delete('endpointslices', 'default', `${name}-${instance}`);
      const left = storage.list('endpointslices').some((s) => s.metadata.labels?.['kubernetes.io/service-name'] === name);
      if (!left) storage.delete('services', 'default', name);
    },
    setHealth: async (name, instance, healthy) => putSlice(name, instance, healthy),
    breakages: ['errors', 'garbage', 'half-json', 'wrong-json', 'silence', 'refused', 'reset'],
    break: (how) => fake.server.break(how),
    repair: () => fake.server.repair(),
    reset: () => fake.reset(),
    connections: () => fake.server.connections,
    bulk: 120,
    stop: () => fake.stop(),
  };
}

registryContract('kubernetes', () => fakeKubernetes([]));
registryContract('kubernetes, one namespace', () => fakeKubernetes(['default']));
