import { silentLog } from '../../../core/log.ts';
import { clusterId, sourceId } from '../../../core/model/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { createConsulSource } from '../../../registries/consul/index.ts';
import { FakeConsul } from '../../fakes/consul.ts';
import { rulesWith } from '../../unit/registry/records.ts';
import type { RegistryHarness } from './harness.ts';
import { registryContract } from './suite.ts';

const deps = { id: sourceId('consul/dc1'), cluster: clusterId('east'), clock: systemClock, random: Math.random, log: silentLog };
const patient = { waitMs: 60_000, marginMs: 2_000, backoff: { baseMs: 10, maxMs: 50 } };
// The margin is what a busy machine may take to answer, and how long silence goes unnoticed.
const hasty = { ...patient, waitMs: 400 };

async function fakeConsul(tuning: object): Promise<RegistryHarness> {
  const fake = new FakeConsul();
  await fake.server.start();
  const write = (change: () => void) => {
    change();
    fake.notify();
    return Promise.resolve();
  };
  return {
    source() {
      const connection = { type: 'consul', url: fake.server.url } as const;
      return createConsulSource({ type: 'consul', rules: rulesWith(), publish: false, connection }, deps, tuning);
    },
    register: (service, instance, port) =>
      write(() => {
        const ID = `${service}-${instance}`;
        const check = { CheckID: `check-${ID}`, Status: 'passing', ServiceID: ID };
        fake.state.register({ Node: 'n1', Address: '10.0.0.1', Service: { ID, Service: service, Port: port }, Check: check });
      }),
    deregister: (service, instance) => write(() => fake.state.deregister({ Node: 'n1', ServiceID: `${service}-${instance}` })),
    setHealth: (service, instance, healthy) =>
      write(() => {
        const ID = `${service}-${instance}`;
        fake.state.register({
          Node: 'n1',
          Address: '10.0.0.1',
          Check: { CheckID: `check-${ID}`, Status: healthy ? 'passing' : 'critical', ServiceID: ID },
        });
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

registryContract('consul', () => fakeConsul(hasty));
// With fewer queries than services, they take turns: everything above still holds.
registryContract('consul, 4 queries for all', () => fakeConsul({ ...hasty, maxQueries: 4, waitMs: 100 }));
