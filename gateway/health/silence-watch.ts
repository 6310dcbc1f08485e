import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { Deadlines, type Timed } from '../deadlines.ts';
import { type ClusterTable, ejectionKey, type PlaceNews } from '../engine/contract.ts';
import type { EndpointState } from '../state/types.ts';
import type { TcpProbe } from './probe-tcp.ts';
import { defaultSilenceLimits, initialSilence, type SilenceEvent, type SilenceState, stepSilence } from './silence.ts';
import { SocketProgress } from './socket-progress.ts';
import { isStranded, ownAddresses } from './stranded.ts';

export interface SilenceWatchOptions {
  readonly clock: Clock;
  /** Connects to the endpoint's address alone, without TLS. */
  readonly probe: (endpoint: EndpointState, timeoutMs: number) => Promise<TcpProbe>;
  readonly clusters: () => ReadonlyMap<string, ClusterTable>;
  /** `ejected` has changed. Connections to what was lost are destroyed after this returns, so that who tries again tries elsewhere. */
  readonly onChange: () => void;
  /** Default: what the kernel says. */
  readonly ownAddresses?: () => ReadonlySet<string>;
}

/** Who carries connections of which it tells by the place that they lead to; see Engine. */
export interface Carrier {
  places(): readonly PlaceNews[];
  giveUp(endpoint: EndpointState, own?: ReadonlySet<string>): void;
}

const lookMs = 100;
/** A second probe, because one lost packet is no proof: TCP would send it again after a second. */
const secondProbeMs = 60;
const minProbeMs = 200;
const maxProbeMs = 1_000;
/** Looked at in one look, of one machine: the others have their turn in the next. */
const looksAtOnce = 64;
/** Connections may be opened to one that is lost, because nothing else is left, but nobody waits long for them. */
const lostConnectMs = 500;

/**
 * Notices within a second that what connections lead to has vanished without a word, gives it up with all that leads there, and
 * takes it back when it has answered for a while. Where it answers, and it is this machine that has another address now, the connections
 * from the old one are given up. It is told of each connection (`opened`) and, where somebody knows, of each
 * answer that is waited for (`asked`); bytes it counts itself, by looking ten times a second at counters that sockets keep anyway.
 */
export class SilenceWatch {
  readonly #options: SilenceWatchOptions;
  readonly #deadlines: Deadlines;
  readonly #machines = new Map<string, Machine>();
  readonly #of = new WeakMap<EndpointState, Machine>();
  readonly #look: Timed = { deadline: 0, expire: () => this.#lookAtAll() };
  #carrier: Carrier | undefined;
  #lookedAt = 0;
  #ejected: ReadonlySet<string> = new Set();

  constructor(options: SilenceWatchOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.clock, lookMs);
  }

  /** `ejectionKey`s of all endpoints, of all clusters, on machines that are lost. Immutable; a change is a new set. */
  get ejected(): ReadonlySet<string> {
    return this.#ejected;
  }

  /** A connection is being opened; followed until it closes. The socket is the TCP one, under whatever TLS. */
  opened(endpoint: EndpointState, socket: Socket): void {
    const machine = this.#machineOf(endpoint);
    const progress = new SocketProgress(socket);
    const began = this.#options.clock.monotonic();
    machine.sockets.add(progress);
    socket.once('connect', () => machine.connected(this.#options.clock.monotonic() - began));
    socket.once('close', () => {
      machine.sockets.delete(progress);
      this.#dropIfUnused(machine);
    });
    if (machine.state.phase === 'lost') machine.late.set(progress, began + lostConnectMs);
  }

  /** What this one carries is looked at, too, from now on. Once at most. */
  follow(carrier: Carrier): void {
    this.#carrier = carrier;
    this.#lookedAt = this.#options.clock.monotonic();
    this.#deadlines.watch(this.#look);
  }

  /** An answer of this endpoint is waited for from now on; to be called once it begins, or never will. Idempotent. */
  asked(endpoint: EndpointState): () => void {
    const machine = this.#machineOf(endpoint);
    machine.asked += 1;
    let waits = true;
    return () => {
      if (!waits) return;
      waits = false;
      machine.asked -= 1;
      this.#dropIfUnused(machine);
    };
  }

  /** The clusters have changed: what is no endpoint any more is forgotten, and what is new on a machine that is lost is ejected. */
  refresh(): void {
    if (this.#lost().length === 0) return;
    this.#ejected = this.#keysOfLost();
    for (const machine of this.#lost()) if (!machine.listed) this.#drop(machine);
  }

  /** Ends the timer. Idempotent. */
  dispose(): void {
    this.#carrier = undefined;
    for (const machine of this.#machines.values()) this.#drop(machine);
    this.#deadlines.forget(this.#look);
  }

  #machineOf(endpoint: EndpointState): Machine {
    const known = this.#of.get(endpoint);
    if (known !== undefined && this.#machines.get(known.key) === known) return known;
    const key = locationOf(endpoint);
    let machine = this.#machines.get(key);
    if (machine === undefined) {
      machine = new Machine(key, endpoint);
      this.#machines.set(key, machine);
      if (this.#machines.size === 1 && this.#carrier === undefined) this.#lookedAt = this.#options.clock.monotonic();
      this.#deadlines.watch(this.#look);
    }
    this.#of.set(endpoint, machine);
    return machine;
  }

  #lookAtAll(): void {
    const now = this.#options.clock.monotonic();
    const stalledMs = Math.max(0, now - this.#lookedAt - 2 * lookMs);
    this.#lookedAt = now;
    this.#lookAtCarried();
    for (const machine of this.#machines.values()) {
      const heard = machine.look(now);
      this.#step(machine, { kind: 'looked', now, heard, waiting: machine.waiting, stalledMs });
    }
  }

  #lookAtCarried(): void {
    if (this.#carrier === undefined) return;
    const now = new Set<Machine>();
    for (const news of this.#carrier.places()) {
      const machine = this.#machineOf(news.endpoint);
      machine.carried = { ...news, heardBefore: machine.carried?.heard ?? news.heard };
      now.add(machine);
    }
    for (const machine of this.#machines.values()) {
      if (machine.carried === undefined || now.has(machine)) continue;
      machine.carried = undefined;
      this.#dropIfUnused(machine);
    }
  }

  #giveUp(machine: Machine, own?: ReadonlySet<string>): void {
    machine.giveUp(own);
    if (machine.carried !== undefined) this.#carrier?.giveUp(machine.carried.endpoint, own);
  }

  #step(machine: Machine, event: SilenceEvent): void {
    const [state, effect] = stepSilence(machine.state, event, defaultSilenceLimits);
    const wasLost = machine.state.phase === 'lost';
    machine.state = state;
    if (effect === 'probe') void this.#probe(machine, wasLost);
    if (effect !== 'lost' && effect !== 'returned') return;
    this.#ejected = this.#keysOfLost();
    this.#options.onChange();
    if (effect === 'lost') this.#giveUp(machine);
    this.#dropIfUnused(machine);
  }

  async #probe(machine: Machine, wasLost: boolean): Promise<void> {
    const { clock, probe } = this.#options;
    const { endpoint } = machine;
    const timeoutMs = machine.probeMs;
    const first = probe(endpoint, timeoutMs);
    const second = wasLost ? first : clock.sleep(secondProbeMs).then(() => probe(endpoint, timeoutMs));
    const answers = await Promise.all([first, second]);
    const result = answers.find((each) => each !== 'nothing') ?? 'nothing';
    if (result !== 'nothing' && !wasLost) this.#giveUp(machine, (this.#options.ownAddresses ?? ownAddresses)());
    if (this.#machines.get(machine.key) === machine) this.#step(machine, { kind: 'probed', now: clock.monotonic(), result });
  }

  #lost(): readonly Machine[] {
    return [...this.#machines.values()].filter(({ state }) => state.phase === 'lost');
  }

  #keysOfLost(): ReadonlySet<string> {
    const lost = new Map(this.#lost().map((machine) => [machine.key, machine]));
    const keys = new Set<string>();
    for (const machine of lost.values()) machine.listed = false;
    if (lost.size === 0) return keys;
    for (const [name, { endpoints }] of this.#options.clusters()) {
      for (const endpoint of endpoints) {
        const machine = lost.get(locationOf(endpoint));
        if (machine === undefined) continue;
        machine.listed = true;
        keys.add(ejectionKey(name, endpoint));
      }
    }
    return keys;
  }

  #dropIfUnused(machine: Machine): void {
    if (machine.sockets.size === 0 && machine.asked === 0 && machine.carried === undefined && machine.state.phase === 'sound')
      this.#drop(machine);
  }

  #drop(machine: Machine): void {
    if (this.#machines.get(machine.key) !== machine) return;
    this.#machines.delete(machine.key);
    if (this.#machines.size === 0 && this.#carrier === undefined) this.#deadlines.forget(this.#look);
  }
}

/** One address and port, whatever services are behind it. */
class Machine {
  readonly key: string;
  readonly endpoint: EndpointState;
  readonly sockets = new Set<SocketProgress>();
  /** Connections opened while it was lost, and when they are given up. */
  readonly late = new Map<SocketProgress, number>();
  state: SilenceState = initialSilence(defaultSilenceLimits);
  asked = 0;
  /** Connections that a carrier tells of: what is known of them by the last two looks. */
  carried: (PlaceNews & { readonly heardBefore: number }) | undefined;
  /** Some cluster has an endpoint there. */
  listed = true;
  #connectMs = 0;

  constructor(key: string, endpoint: EndpointState) {
    this.key = key;
    this.endpoint = endpoint;
  }

  get waiting(): boolean {
    if (this.asked > 0 || this.carried?.waiting === true) return true;
    for (const each of this.sockets) if (each.waiting) return true;
    return false;
  }

  /** Three times what connecting took: a probe across continents is not late after 200 ms. */
  get probeMs(): number {
    return Math.min(maxProbeMs, Math.max(minProbeMs, 3 * this.#connectMs));
  }

  connected(tookMs: number): void {
    this.#connectMs = this.#connectMs === 0 ? tookMs : this.#connectMs * 0.75 + tookMs * 0.25;
  }

  /** Whether bytes have come. Those looked at go to the end of the line. */
  look(now: number): boolean {
    let heard = this.carried !== undefined && this.carried.heard !== this.carried.heardBefore;
    let left = looksAtOnce;
    const crowded = this.sockets.size > looksAtOnce;
    for (const each of crowded ? [...this.sockets].slice(0, looksAtOnce) : this.sockets) {
      if (left-- === 0) break;
      heard = each.look() || heard;
      if (!crowded) continue;
      this.sockets.delete(each);
      this.sockets.add(each);
    }
    for (const [each, until] of this.late) {
      if (each.socket.destroyed || !each.socket.connecting) this.late.delete(each);
      else if (now >= until) each.socket.destroy();
    }
    return heard;
  }

  /** With `own`, those alone that were made from another address than these. */
  giveUp(own?: ReadonlySet<string>): void {
    for (const { socket } of [...this.sockets]) if (own === undefined || isStranded(socket, own)) socket.destroy();
  }
}

function locationOf({ address, port }: EndpointState): string {
  return `${address}:${port}`;
}
