import { silentLog } from '../../../core/log.ts';
import { clusterId, sourceId } from '../../../core/model/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { createNomadSource } from '../../../registries/nomad/index.ts';
import { FakeNomad } from '../../fakes/nomad.ts';
import { rulesWith } from '../../unit/registry/records.ts';
import type { RegistryHarness } from './harness.ts';
import { registryContract } from './suite.ts';

const deps = { id: sourceId('nomad/dc1'), cluster: clusterId('east'), clock: systemClock, random: Math.random, log: silentLog };
const tuning = { waitMs: 400, marginMs: 400, streamIdleMs: 600, checkIntervalMs: 20, backoff: { baseMs: 10, maxMs: 50 } };

async function fakeNomad(forbidden: readonly string[]): Promise<RegistryHarness> {
  const fake = new FakeNomad();
  for (const path of forbidden) fake.forbidden.add(path);
  await fake.server.start();
  const write = (change: () => void) => {
    change();
    fake.notify();
    return Promise.resolve();
  };
  return {
    source() {
      const connection = { type: 'nomad', url: fake.server.url, namespace: '*' } as const;
      return createNomadSource({ type: 'nomad', rules: rulesWith(), publish: false, connection }, deps, tuning);
    },
    register: (service, instance, port) =>
      write(() => {
        const ID = `${service}-${instance}`;
        fake.state.register({ ID, ServiceName: service, Port: port });
        fake.state.checks.set(`alloc-${ID}`, { one: { Service: service, Status: 'success', Check: 'up' } });
        fake.state.setAllocation(`alloc-${ID}`, { ClientStatus: 'running', DesiredStatus: 'run' });
      }),
    deregister: (service, instance) =>
      write(() => {
        fake.state.setAllocation(`alloc-${service}-${instance}`, { ClientStatus: 'complete', DesiredStatus: 'stop' });
        fake.state.deregister(`${service}-${instance}`);
      }),
    setHealth: (service, instance, healthy) =>
      write(() => {
        const result = { Service: service, Status: healthy ? 'success' : 'failure', Check: 'up' };
        fake.state.checks.set(`alloc-${service}-${instance}`, { one: result });
      }),
    breakages: ['errors', 'garbage', 'half-json', 'wrong-json', 'silence', 'refused', 'reset'],
    break: (how) => fake.server.break(how),
    repair: () => fake.server.repair(),
    reset: async () => fake.reset(),
    connections: () => fake.server.connections,
    bulk: 120,
    stop: () => fake.stop(),
  };
}

registryContract('nomad', () => fakeNomad([]));
registryContract('nomad without its event stream', () => fakeNomad(['/v1/event/stream']));
registryContract('nomad with a token that may not read nodes', () => fakeNomad(['/v1/nodes']));
