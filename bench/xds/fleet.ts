import type { Authority } from '../../control/ca/index.ts';
import { controlChannel, SettableSvidSource } from '../../core/identity/index.ts';
import { meshHost, outboundClusterName, splitServiceKey } from '../../core/model/index.ts';
import { nativeTypeUrls } from '../../core/xds/index.ts';
import { cluster, issue, trustDomain } from '../bench-pki.ts';
import { benchServiceKey, network } from '../bench-records.ts';
import { FleetClient, type FleetEvents, type Interests } from './fleet-client.ts';

/** No resource's name. */
const everything = '';

/** Many times what a busy machine needs. */
const patienceMs = 60_000;

/** Many agents, each on a connection of its own, in this process. */
export class Fleet {
  readonly #clients: FleetClient[] = [];
  readonly #subscribed = new Map<string, FleetClient[]>();
  #waiting = { what: '', clients: new Set<FleetClient>(), done: () => {} };

  /** `servicesOf` gives what a client subscribes to, by index of the service. */
  constructor(authority: Authority, size: number, servicesOf: (client: number) => readonly number[]) {
    const svid = issue(authority, 'shop', 'bench-agent');
    const channel = controlChannel(new SettableSvidSource(svid, authority.bundle()), { cluster, now: Date.now });
    for (let i = 0; i < size; i++) {
      const services = servicesOf(i);
      const facts = {
        kind: 'agent',
        identity: svid.spiffeId,
        instance: `vm-${i}`,
        network,
        locality: '',
        labels: {},
        version: 'bench',
      } as const;
      const client = new FleetClient(facts, channel, interestsIn(services), this.#events);
      this.#clients.push(client);
      for (const service of services) {
        const subscribers = this.#subscribed.get(assignmentOf(service)) ?? [];
        this.#subscribed.set(assignmentOf(service), [...subscribers, client]);
      }
    }
  }

  get size(): number {
    return this.#clients.length;
  }

  /** Connects all, `atOnce` at a time. Resolves when each of them has everything; an Error, as with what is below, names who has not in time. */
  async connect(port: number, atOnce: number = this.size): Promise<void> {
    for (let i = 0; i < this.size; i += atOnce) {
      const some = this.#clients.slice(i, i + atOnce);
      const current = this.#hear(everything, some);
      for (const client of some) client.connect(port);
      await current;
    }
  }

  /** Resolves when every subscriber of that service has got its endpoints anew. Ask before they are sent. */
  heardOf(service: number): Promise<void> {
    const name = assignmentOf(service);
    return this.#hear(name, this.#subscribed.get(name) ?? []);
  }

  disconnect(): void {
    for (const client of this.#clients) client.disconnect();
  }

  /** All that they hold from before is gone. */
  forget(): void {
    for (const client of this.#clients) client.forget();
  }

  #hear(what: string, clients: readonly FleetClient[]): Promise<void> {
    if (clients.length === 0) return Promise.resolve();
    const waiting = new Set(clients);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const some = [...waiting].slice(0, 5).map((client) => client.describe());
        const wanted = what === everything ? 'all they asked for' : what;
        reject(new Error(`${waiting.size} of ${clients.length} clients have not got ${wanted} in ${patienceMs} ms: ${some.join('; ')}`));
      }, patienceMs);
      const done = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#waiting = { what, clients: waiting, done };
    });
  }

  readonly #events: FleetEvents = {
    heard: (client, name) => this.#tell(client, name),
    current: (client) => this.#tell(client, everything),
  };

  #tell(client: FleetClient, heard: string): void {
    const { what, clients, done } = this.#waiting;
    if (heard === what && clients.delete(client) && clients.size === 0) done();
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
