import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Instances } from '../../../control/registration/index.ts';
import { openEmbeddedStore } from '../../../control/store/index.ts';
import { MeshError } from '../../../core/errors.ts';
import { childController } from '../../../core/lifecycle.ts';
import { silentLog } from '../../../core/log.ts';
import { clusterId, sourceId } from '../../../core/model/index.ts';
import type { Store, WatchBatch } from '../../../core/store.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { createVmSource, instanceKey, type RegisteredWorkload } from '../../../registries/vm/index.ts';
import type { RegistryHarness } from './harness.ts';
import { registryContract } from './suite.ts';

const deps = { id: sourceId('vm/agents'), cluster: clusterId('east'), clock: systemClock, random: Math.random, log: silentLog };

/** A store that can be lost, its running watches too. */
class BreakableStore implements Store {
  readonly #inner: Store;
  #outage = new AbortController();

  constructor(inner: Store) {
    this.#inner = inner;
  }

  break(): void {
    this.#outage.abort();
  }

  repair(): void {
    this.#outage = new AbortController();
  }

  async get(key: string) {
    this.#up();
    return this.#inner.get(key);
  }

  async list(prefix: string) {
    this.#up();
    return this.#inner.list(prefix);
  }

  txn: Store['txn'] = (txn) => this.#inner.txn(txn);
  grantLease: Store['grantLease'] = (ttlMs) => this.#inner.grantLease(ttlMs);
  close = () => this.#inner.close();

  async *watch(prefix: string, after: number, signal: AbortSignal): AsyncIterable<WatchBatch> {
    const outage = this.#outage.signal;
    const { controller, release } = childController(signal);
    const lost = childController(outage);
    lost.controller.signal.addEventListener('abort', () => controller.abort(), { once: true });
    try {
      yield* this.#inner.watch(prefix, after, controller.signal);
    } finally {
      release();
      lost.release();
    }
    if (!signal.aborted) this.#up(outage);
  }

  #up(outage = this.#outage.signal): void {
    if (outage.aborted) throw new MeshError('STORE_UNAVAILABLE', 'the store does not answer: check its disk', { retryable: true });
  }
}

async function vmHarness(): Promise<RegistryHarness> {
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-vm-'));
  const real = await openEmbeddedStore({ dir, clock: systemClock });
  const instances = new Instances(real);
  const broken = new BreakableStore(real);
  const workload = (service: string, instance: string, port: number): RegisteredWorkload => ({
    role: 'workload',
    instance: `${service}-${instance}`,
    namespace: 'default',
    serviceAccount: 'app',
    grant: 'g',
    generation: 1,
    replica: 'r',
    network: 'net-a',
    labels: {},
    locality: '',
    version: '',
    registeredAt: 1,
    draining: false,
    expired: false,
    addresses: ['10.0.0.1'],
    inboundPort: port,
    services: [{ namespace: 'default', name: service, port: 80, portName: 'http', protocol: 'http' }],
  });
  const keyOf = (service: string, instance: string) => instanceKey(workload(service, instance, 1));
  const setHealth = (service: string, instance: string, healthy: boolean) =>
    instances.report(keyOf(service, instance), 1, {
      draining: false,
      services: [{ namespace: 'default', name: service, healthy, reason: '' }],
      sockets: [],
    });
  return {
    source: () => createVmSource(broken, deps),
    async register(service, instance, port) {
      await instances.register(workload(service, instance, port));
      await setHealth(service, instance, true);
    },
    deregister: async (service, instance) => void (await instances.remove(keyOf(service, instance), 1)),
    setHealth,
    breakages: ['refused'],
    break: async () => broken.break(),
    repair: async () => broken.repair(),
    bulk: 120,
    async stop() {
      await real.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

registryContract('vm', vmHarness);
