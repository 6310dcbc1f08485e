import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import { MeshError } from '../../core/errors.ts';
import {
  controlChannel,
  type InstanceRegistration,
  type ObtainedIdentity,
  obtainIdentity,
  registerInstance,
  unary,
} from '../../core/identity/index.ts';
import { silentLog } from '../../core/log.ts';
import { createCsr, generateKey } from '../../core/pki/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { IdentityClient } from '../../core/xds/gen/isthmus/agent/v1/agent.ts';

/** Handshakes at once: a fleet does not start within one millisecond. */
const atOnce = 24;
const callMs = 20_000;

/** What a renewal goes over. */
export type RenewalOver = 'a standing connection' | 'one of its own';

interface Simulated {
  readonly identity: ObtainedIdentity;
  readonly registration: InstanceRegistration;
}

/** Agents as the control plane sees them: each with an identity, a connection, a registration and heartbeats of its own. */
export class Fleet {
  readonly #dir: string;
  readonly #stop = new AbortController();
  readonly #agents: Simulated[] = [];

  constructor(dir: string) {
    this.#dir = dir;
    // Each of its agents listens.
    setMaxListeners(0, this.#stop.signal);
  }

  /** Joins so many more; resolves when all are registered. */
  async join(count: number, token: string, address: string): Promise<void> {
    const first = this.#agents.length;
    let next = first;
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        while (next < first + count) await this.#joinOne(next++, token, address);
      }),
    );
    await this.registered();
  }

  /** Until all are. */
  async registered(): Promise<void> {
    for (;;) {
      if (this.#agents.every(({ registration }) => registration.status().state === 'registered')) return;
      await systemClock.sleep(100, this.#stop.signal);
    }
  }

  /** Each has renewed at a control plane that answers, and all are registered there. */
  async backAndRenewed(): Promise<void> {
    let next = 0;
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        while (next < this.#agents.length) await this.#renew(this.#agents[next++]);
      }),
    );
    await this.registered();
  }

  stop(): void {
    this.#stop.abort();
  }

  /** All of them, one renewal after the other, for `ms`. */
  async renewing(ms: number, over: RenewalOver): Promise<void> {
    const end = performance.now() + ms;
    await Promise.all(
      this.#agents.map(async (agent) => {
        const standing = over === 'a standing connection' ? clientOf(agent) : undefined;
        try {
          while (performance.now() < end) await this.#renew(agent, standing);
        } finally {
          standing?.close();
        }
      }),
    );
  }

  /** Until it is answered; by a connection of its own, as agents do it, where none is given. */
  async #renew(agent: Simulated | undefined, standing?: IdentityClient): Promise<void> {
    if (agent === undefined) return;
    const { signal } = this.#stop;
    for (;;) {
      const client = standing ?? clientOf(agent);
      try {
        await unary(client.renew.bind(client), { csr: createCsr(generateKey()) }, callMs, signal);
        return;
      } catch (error) {
        if (!(error instanceof MeshError && error.retryable)) throw error;
        await systemClock.sleep(200, signal);
      } finally {
        if (client !== standing) client.close();
      }
    }
  }

  async #joinOne(index: number, token: string, address: string): Promise<void> {
    const instance = `vm-${index}`;
    const common = { clock: systemClock, random: Math.random, log: silentLog, signal: this.#stop.signal, dir: join(this.#dir, instance) };
    const identity = await obtainIdentity({ ...common, token, instance });
    const registration = await registerInstance({
      ...common,
      source: identity,
      addresses: () => [address],
      report: { draining: false, services: [{ namespace: 'shop', name: 'orders', healthy: true, reason: '' }], sockets: [] },
      hello: {
        instance,
        network: 'dc',
        addresses: ['127.0.0.1'],
        role: {
          $case: 'workload',
          value: {
            inboundPort: 10_000 + index,
            services: [{ namespace: 'shop', name: 'orders', port: 80, protocol: 'http', portName: 'http' }],
          },
        },
        labels: {},
        locality: '',
        version: 'bench',
      },
    });
    this.#agents.push({ identity, registration });
  }
}

function clientOf({ identity }: Simulated): IdentityClient {
  const { credentials, options } = controlChannel(identity, { cluster: identity.current().cluster, now: () => systemClock.now() });
  return new IdentityClient(identity.token.addresses[0] ?? '', credentials, options);
}
