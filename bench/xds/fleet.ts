import type { Authority } from '../../control/ca/index.ts';
import { controlChannel, SettableSvidSource } from '../../core/identity/index.ts';
import { meshHost, outboundClusterName, splitServiceKey } from '../../core/model/index.ts';
import { nativeTypeUrls } from '../../core/xds/index.ts';
import { cluster, issue, trustDomain } from '../bench-pki.ts';
import { benchServiceKey, network } from '../bench-records.ts';
import { FleetClient, type FleetEvents, type Interests } from './fleet-client.ts';

/** Many agents, each on a connection of its own, in this process. */
export class Fleet {
  readonly #clients: FleetClient[] = [];
  readonly #subscribed: ReadonlyMap<string, number>;
  #waiting = { count: 0, wants: (_what: string) => false, done: () => {} };

  /** `servicesOf` gives what a client subscribes to, by index of the service. */
  constructor(authority: Authority, size: number, servicesOf: (client: number) => readonly number[]) {
    const svid = issue(authority, 'shop', 'bench-agent');
    const channel = controlChannel(new SettableSvidSource(svid, authority.bundle()), { cluster, now: Date.now });
    const subscribed = new Map<string, number>();
    for (let i = 0; i < size; i++) {
      const services = servicesOf(i);
      for (const service of services) subscribed.set(assignmentOf(service), (subscribed.get(assignmentOf(service)) ?? 0) + 1);
      const facts = { kind: 'agent', identity: svid.spiffeId, instance: `vm-${i}`, network, locality: '', version: 'bench' } as const;
      this.#clients.push(new FleetClient(facts, channel, interestsIn(services), this.#events));
    }
    this.#subscribed = subscribed;
  }

  get size(): number {
    return this.#clients.length;
  }

  /** Connects all, `atOnce` at a time. Resolves when the server has told each of them that it has everything. */
  async connect(port: number, atOnce: number = this.size): Promise<void> {
    for (let i = 0; i < this.size; i += atOnce) {
      const some = this.#clients.slice(i, i + atOnce);
      const current = this.#hear('', some.length);
      for (const client of some) client.connect(port);
      await current;
    }
  }

  /** Resolves when every subscriber of that service has got its endpoints anew. Ask before they are sent. */
  heardOf(service: number): Promise<void> {
    const name = assignmentOf(service);
    return this.#hear(name, this.#subscribed.get(name) ?? 0);
  }

  disconnect(): void {
    for (const client of this.#clients) client.disconnect();
  }

  /** All that they hold from before is gone. */
  forget(): void {
    for (const client of this.#clients) client.forget();
  }

  #hear(what: string, count: number): Promise<void> {
    if (count === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting = { count, wants: (heard) => heard === what, done: resolve };
    });
  }

  readonly #events: FleetEvents = {
    heard: (name) => this.#tell(name),
    current: () => this.#tell(''),
  };

  #tell(what: string): void {
    const { wants, done } = this.#waiting;
    if (!wants(what)) return;
    this.#waiting.count -= 1;
    if (this.#waiting.count === 0) done();
  }
}

function hostOf(service: number): string {
  return meshHost(splitServiceKey(benchServiceKey(service)), 'mesh.internal');
}

function assignmentOf(service: number): string {
  return outboundClusterName({ port: 80, subset: '', host: hostOf(service) });
}

/** What an agent that calls those services, and them alone, asks for by name. */
function interestsIn(services: readonly number[]): Interests {
  const wanted = new Map<string, readonly string[]>([[nativeTypeUrls.bundle, [trustDomain]]]);
  if (services.length === 0) return wanted;
  wanted.set(nativeTypeUrls.cluster, services.map(assignmentOf));
  wanted.set(nativeTypeUrls.loadAssignment, services.map(assignmentOf));
  wanted.set(nativeTypeUrls.listener, services.map(hostOf));
  return wanted;
}
