import type { Clock } from '../../core/clock.ts';
import type { TrafficSource } from '../../core/xds/envoy/index.ts';
import type { EncodedResource } from '../../core/xds/index.ts';
import {
  type CaptureListener,
  type EnvoyProxy,
  exposedName,
  exposedPorts,
  type Inbound,
  type InboundService,
  type OpenPort,
  type Outbound,
  type OutboundListener,
  type PlainPlace,
  type PlaintextCounter,
  type RefusedResource,
  type StateView,
} from '../../gateway/index.ts';
import type { ListenAddress } from '../contract.ts';
import { captureName, inboundName, localCapture, localExposed, localInbound, localOutbound, outboundName } from './local-listeners.ts';

export interface EnvoyTrafficOptions {
  readonly proxy: EnvoyProxy;
  readonly inbound: ListenAddress;
  readonly trustDomain: string;
  readonly state: StateView;
  /** This machine's workload, for rules that ask who calls. */
  readonly source: TrafficSource;
  /** Is told of what Envoy carries. */
  readonly plaintext: PlaintextCounter;
  readonly clock: Clock;
}

/** How soon Envoy is asked again for a port that another program held, ms. */
const retryMs = 5_000;
const bindFailure = /cannot bind|Address already in use|Permission denied/i;

interface Entry {
  readonly listener: OutboundListener;
  attempt: number;
  resource: EncodedResource;
}

/** The agent's ports, bound and served by Envoy: what our own inbound and outbound are to the rest of the agent. */
export class EnvoyTraffic {
  readonly inbound: Inbound;
  readonly outbound: Outbound;
  readonly #options: EnvoyTrafficOptions;
  readonly #entries = new Map<string, Entry>();
  /** Ports for callers without mesh, by the names of their listeners. */
  readonly #exposed = new Map<string, { readonly place: PlainPlace; attempt: number }>();
  readonly #unsubscribe: () => void;
  #services: readonly InboundService[] = [];
  #inboundAttempt = 0;
  #capture: CaptureListener | undefined;
  #captureAttempt = 0;
  #held = true;
  #scheduled = false;
  #disposed: Promise<void> | undefined;

  constructor(options: EnvoyTrafficOptions) {
    this.#options = options;
    const ends = {
      drain: (deadlineMs: number) => options.proxy.drain(deadlineMs),
      dispose: () => this.#dispose(),
    };
    this.inbound = {
      serve: (services) => {
        this.#services = services;
        options.plaintext.keepOnly(exposedPorts(services));
        this.#publish();
      },
      listen: (at) => Promise.resolve({ ...at, close: () => Promise.resolve() }),
      expose: (place) => Promise.resolve(this.#expose(place)),
      plaintext: options.plaintext,
      ...ends,
    };
    // One process serves both: what drains the one has drained the other.
    this.outbound = {
      listen: (listener) => Promise.resolve(this.#add(listener)),
      capture: (listener) => {
        this.#capture = listener;
        this.#publish();
        return Promise.resolve({ ...listener, close: () => Promise.resolve() });
      },
      // Envoy ends the connections of a listener that goes, and does not say which have any: so none may go.
      inUse: () => new Set([...this.#entries.values()].map(({ listener }) => listener.clusterName)),
      drain: () => Promise.resolve(),
      dispose: ends.dispose,
    };
    let seen = options.state.current;
    this.#unsubscribe = options.state.subscribe(() => {
      const now = options.state.current;
      options.proxy.local.refresh();
      const rules = seen.routings !== now.routings || seen.listeners !== now.listeners || seen.clusters !== now.clusters;
      if (rules) for (const entry of this.#entries.values()) this.#remake(entry, entry.attempt);
      if (rules || seen.authz !== now.authz) this.#publish();
      seen = now;
    });
  }

  /**
   * Tells Envoy its listeners, from now on whatever they become. Not before all that is known is there: an Envoy that takes over from
   * another one closes what it is not told of.
   */
  release(): void {
    this.#held = false;
    this.#publish();
  }

  /** Ports of mesh services that Envoy could not have. */
  taken(): readonly { readonly listener: OutboundListener; readonly denied: boolean }[] {
    return this.#unbound().flatMap(({ name, reason }) => {
      const entry = this.#entries.get(name);
      return entry === undefined ? [] : [{ listener: entry.listener, denied: /Permission denied/i.test(reason) }];
    });
  }

  /** What keeps the mesh from reaching this machine, if anything does. */
  inboundFault(): string | undefined {
    return this.#options.proxy.local.refused().find(({ name }) => name === inboundName)?.reason;
  }

  /** Asks again for ports that were held by others, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.sleep(retryMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      for (const { name } of this.#unbound()) {
        const entry = this.#entries.get(name);
        const exposed = this.#exposed.get(name);
        if (exposed !== undefined) exposed.attempt += 1;
        else if (name === captureName) this.#captureAttempt += 1;
        else if (entry === undefined) this.#inboundAttempt += 1;
        else this.#remake(entry, entry.attempt + 1);
        this.#publish();
      }
    }
  }

  /** Of those that are exposed. */
  exposedTaken(): readonly PlainPlace[] {
    return this.#unbound().flatMap(({ name }) => this.#exposed.get(name)?.place ?? []);
  }

  #expose(place: PlainPlace): OpenPort {
    const name = exposedName(place);
    this.#exposed.set(name, { place, attempt: 0 });
    this.#publish();
    return {
      ...place,
      close: () => {
        this.#exposed.delete(name);
        this.#publish();
        return Promise.resolve();
      },
    };
  }

  #exposedListeners(): readonly EncodedResource[] {
    const { state, trustDomain } = this.#options;
    return [...this.#exposed].flatMap(([name, { place, attempt }]) => {
      const service = this.#services.find(({ expose }) => expose !== undefined && exposedName(expose) === name);
      return service === undefined ? [] : [localExposed(service, place, state.current, trustDomain, attempt)];
    });
  }

  #remake(entry: Entry, attempt: number): void {
    const { state, source } = this.#options;
    entry.attempt = attempt;
    entry.resource = localOutbound(entry.listener, state.current, source, attempt);
  }

  #unbound(): readonly RefusedResource[] {
    return this.#options.proxy.local.refused().filter(({ reason }) => bindFailure.test(reason));
  }

  #add(listener: OutboundListener): OpenPort {
    const { address, port } = listener;
    const name = outboundName(listener);
    const { state, source } = this.#options;
    const entry = { listener, attempt: 0, resource: localOutbound(listener, state.current, source, 0) };
    this.#entries.set(name, entry);
    this.#publish();
    return {
      address,
      port,
      close: () => {
        if (this.#entries.get(name) === entry) this.#entries.delete(name);
        this.#publish();
        return Promise.resolve();
      },
    };
  }

  /** Many changes in one turn of the event loop make one update. */
  #publish(): void {
    if (this.#held || this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#disposed !== undefined) return;
      const { proxy, inbound, state, trustDomain } = this.#options;
      const first = localInbound(inbound, this.#services, state.current, trustDomain, this.#inboundAttempt);
      const capture = this.#capture === undefined ? [] : [localCapture(this.#capture, this.#captureAttempt)];
      const others = [...capture, ...this.#exposedListeners(), ...[...this.#entries.values()].map(({ resource }) => resource)];
      proxy.local.listeners(first === undefined ? others : [first, ...others]);
    });
  }

  #dispose(): Promise<void> {
    this.#unsubscribe();
    this.#disposed ??= this.#options.proxy.dispose();
    return this.#disposed;
  }
}
