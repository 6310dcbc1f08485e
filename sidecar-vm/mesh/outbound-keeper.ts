import type { Clock } from '../../core/clock.ts';
import { isAborted } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import { type DataPlaneState, emptyState, type Outbound } from '../../gateway/index.ts';
import type { Zones } from '../dns/index.ts';
import { Nudge } from '../nudge.ts';
import type { AgentOptions } from '../options.ts';
import type { Capture } from '../parts/capture.ts';
import {
  type AddressTable,
  allocateAddresses,
  emptyAddressTable,
  ListenerSet,
  loadAddresses,
  type PlannedListener,
  type PortTaken,
  planListeners,
  saveAddresses,
} from '../redirect/index.ts';
import type { Wanted } from './agent-interest.ts';
import { canonicalSuffix, meshSuffixes, meshZones, outboundServices } from './describe-mesh.ts';
import { serviceHost } from './service-host.ts';
import { clustersOf, routingNames, type SettledState } from './settled-state.ts';

/** How soon a port that another program held is asked for again, ms. */
const retryMs = 5_000;

export interface OutboundKeeperOptions {
  readonly options: AgentOptions;
  readonly addressFile: string;
  readonly outbound: Outbound;
  /** Absent: no packet filter leads anything here. */
  readonly capture: Pick<Capture, 'inPlace' | 'subscribe'> | undefined;
  readonly mesh: SettledState;
  readonly onInterest: (wanted: Wanted) => void;
  /** Only services that somebody here asked for are known. */
  readonly onDemand: boolean;
  /** `place` may say something new. */
  readonly onPlaced: () => void;
  /** After services have changed. */
  readonly onServices: (state: DataPlaneState) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** Keeps addresses, listeners and names in step with the services of the mesh. */
export class OutboundKeeper {
  readonly #parts: OutboundKeeperOptions;
  readonly #listeners: ListenerSet;
  readonly #explicit: ReadonlyMap<string, number>;
  readonly #captured: ReadonlyMap<string, readonly string[]>;
  #addresses: AddressTable = emptyAddressTable;
  #zones: Zones = { suffixes: meshSuffixes(emptyState), hosts: new Map() };
  #suffix = canonicalSuffix(emptyState);
  #reserved: readonly PortTaken[] = [];
  /** Hosts of listeners whose xDS cluster or endpoints have not come yet: until then they could only refuse. */
  #pending: ReadonlySet<string> = new Set();
  #exhausted = 0;

  constructor(parts: OutboundKeeperOptions) {
    this.#parts = parts;
    this.#explicit = new Map(Object.entries(parts.options.outbound.explicit).map(([key, port]) => [key.toLowerCase(), port]));
    this.#captured = new Map(Object.entries(parts.options.capture?.addresses ?? {}));
    this.#listeners = new ListenerSet((planned) => parts.outbound.listen(planned));
  }

  get zones(): Zones {
    return this.#zones;
  }

  get listeners(): readonly PlannedListener[] {
    const captures = this.#parts.capture?.inPlace === true;
    return this.#listeners.listeners.filter(({ captured }) => captured !== true || captures);
  }

  get taken(): readonly PortTaken[] {
    return [...this.#reserved, ...this.#listeners.taken];
  }

  /** Whether programs of this machine can reach the service: `named` while its address is known, and listeners are on their way. */
  place(host: string): 'open' | 'named' | undefined {
    if (!this.#zones.hosts.has(host)) return undefined;
    return this.#pending.has(host) ? 'named' : 'open';
  }

  /** The host of the service that a DNS name means; undefined: of none. */
  hostOf(name: string): string | undefined {
    return serviceHost(name, this.#zones.suffixes, this.#suffix);
  }

  /** Hosts that connections are open to. */
  inUse(): ReadonlySet<string> {
    return new Set([...this.#parts.outbound.inUse()].map((name) => name.slice(name.lastIndexOf('|') + 1)));
  }

  async load(): Promise<void> {
    const { addressFile, log } = this.#parts;
    const { table, damaged } = await loadAddresses(addressFile);
    if (damaged) log.warn({ file: addressFile }, 'the kept loopback addresses are damaged: services get new ones');
    this.#addresses = table;
  }

  /**
   * Takes the newest services over. `whole`: they are all there are, so that addresses of others are freed. An address is on disk
   * before anybody hears of it. Serial use only.
   */
  async apply(whole: boolean): Promise<void> {
    const { options, onServices, log, mesh, capture } = this.#parts;
    const state = mesh.newest;
    const services = outboundServices(state);
    onServices(state);
    if (options.outbound.loopbackAddresses)
      await this.#allocate(
        services.map((s) => s.hosts[0]),
        whole,
      );
    const plan = planListeners(services, this.#addresses, {
      reserved: new Set([...options.outbound.reservedPorts, ...ownPorts(options)]),
      explicit: this.#explicit,
      loopbackAddresses: options.outbound.loopbackAddresses,
      listenAddresses: options.outbound.listenAddresses ?? [],
      ...(capture === undefined ? {} : { capture: { inPlace: capture.inPlace, addresses: this.#captured } }),
    });
    const routingOf = this.#want(state, plan.listeners);
    const before = new Set(this.taken.map(takenKey));
    const open = new Set(this.#listeners.listeners.map((l) => l.clusterName));
    const arrived = (name: string) => {
      const routing = routingOf.get(name);
      return state.clusters.has(name) && state.assignments.has(name) && (routing === undefined || mesh.isReady(routing));
    };
    const [known, waiting] = partition(plan.listeners, (l) => arrived(l.clusterName) || open.has(l.clusterName));
    await this.#listeners.apply(known);
    this.#pending = new Set(waiting.map((l) => l.host));
    this.#reserved = plan.taken;
    for (const taken of this.taken) if (!before.has(takenKey(taken))) log.warn({ code: 'PORT_TAKEN', ...taken }, 'not listening');
    const partial = options.outbound.loopbackAddresses && this.#parts.onDemand;
    this.#zones = meshZones(services, this.#addresses, meshSuffixes(state), this.#explicit, partial);
    this.#suffix = canonicalSuffix(state);
    this.#parts.onPlaced();
  }

  /** Applies each new state until the signal aborts; asks again for ports that were taken. */
  async follow(whole: () => boolean, signal: AbortSignal): Promise<void> {
    const { mesh, capture } = this.#parts;
    const nudge = new Nudge();
    const undo = [mesh.subscribe(() => nudge.ask()), capture?.subscribe(() => nudge.ask())];
    let applied: readonly unknown[] = [];
    try {
      for (;;) {
        mesh.refresh();
        const { listeners, bundles, routings } = mesh.newest;
        const seen = [listeners, bundles, routings, mesh.current.routings, capture?.inPlace];
        const changed = seen.some((each, i) => each !== applied[i]);
        if (changed || this.#pending.size > 0 || this.#listeners.taken.length > 0) applied = (await this.#attempt(whole())) ? seen : [];
        await nudge.wait(retryMs, this.#parts.clock, signal);
      }
    } catch (error) {
      if (!isAborted(error)) throw error;
    } finally {
      for (const each of undo) each?.();
    }
  }

  /**
   * Asks for what listeners lead to: endpoints are on their way before the first connection can come. That of rules before goes
   * when the new ones hold. Returns routings by xDS cluster.
   */
  #want(state: DataPlaneState, listeners: readonly PlannedListener[]): ReadonlyMap<string, string> {
    const { mesh, onInterest } = this.#parts;
    const names = routingNames(state);
    const clusters = new Set(listeners.map((l) => l.clusterName));
    const routings = new Set([...clusters].flatMap((each) => names.get(each) ?? []));
    mesh.follow(routings);
    for (const name of routings) {
      for (const rules of [state.routings.get(name), mesh.current.routings.get(name)])
        for (const each of rules === undefined ? [] : clustersOf(rules)) clusters.add(each);
    }
    onInterest({ routings, clusters });
    return names;
  }

  async #attempt(whole: boolean): Promise<boolean> {
    try {
      await this.apply(whole);
      return true;
    } catch (error) {
      this.#parts.log.error({ error: String(error) }, 'outbound listeners are not all in place: trying again');
      return false;
    }
  }

  async #allocate(hosts: readonly string[], whole: boolean): Promise<void> {
    const { addressFile, clock, log } = this.#parts;
    const wanted = whole ? hosts : [...new Set([...this.#addresses.assigned.keys(), ...hosts])];
    const { table, exhausted } = allocateAddresses(this.#addresses, wanted, clock.now());
    if (exhausted.length > 0 && exhausted.length !== this.#exhausted) {
      log.error({ services: exhausted.length }, 'no loopback address is left in 127.64.0.0/10: these services need explicit ports');
    }
    this.#exhausted = exhausted.length;
    if (sameAssignment(table, this.#addresses)) return;
    await saveAddresses(addressFile, table);
    this.#addresses = table;
  }
}

/** Ports of this machine that no loopback address may take: of its apps, and of our own listeners on every address. */
function ownPorts(options: AgentOptions): number[] {
  const wildcard = [options.inbound, options.dns, options.admin].filter(({ address }) => address === '0.0.0.0' || address === '::');
  return [...options.services.map((service) => service.appPort), ...wildcard.map(({ port }) => port)];
}

function sameAssignment(a: AddressTable, b: AddressTable): boolean {
  return a.assigned.size === b.assigned.size && [...a.assigned].every(([host, address]) => b.assigned.get(host) === address);
}

function partition<T>(all: readonly T[], test: (each: T) => boolean): readonly [readonly T[], readonly T[]] {
  const [yes, no]: [T[], T[]] = [[], []];
  for (const each of all) (test(each) ? yes : no).push(each);
  return [yes, no];
}

function takenKey(taken: PortTaken): string {
  return `${taken.host}:${taken.port}`;
}
