import { networkInterfaces } from 'node:os';
import type { Clock } from '../../core/clock.ts';
import { isAborted } from '../../core/lifecycle.ts';
import type { readTable, SocketRow } from '../../core/os/index.ts';
import type { agent } from '../../core/xds/index.ts';
import { Nudge } from '../nudge.ts';
import type { AgentOptions } from '../options.ts';
import { CallerMemory } from './caller-memory.ts';
import { type Found, findConnections, type WatchedPort } from './find-connections.ts';
import { isLoopback } from './loopback.ts';
import type { SocketHolders } from './programs.ts';

export interface SocketWatcherOptions {
  readonly services: AgentOptions['services'];
  /** That the agent advertises; those of the machine's interfaces are its own as well. */
  readonly address: string;
  /** The agent's, and those of the Envoy that it runs. */
  readonly pids: () => readonly number[];
  readonly read: typeof readTable;
  readonly holders: SocketHolders;
  readonly clock: Clock;
  /** There is a new report: soon where callers came or went, and now and then all the same. */
  readonly onReport: () => void;
}

/** Between two looks at the table, ms. Shorter connections may be missed, unless the app ended them: then they stay in the table for a minute. */
const intervalMs = 1_000;
/** Between two reports in which nothing is new, ms. */
const repeatMs = 5_000;
/** Nobody asks for as many. */
const maxWatches = 64;
/** They hold a port for connections that the kernel rewrites before they reach this namespace's table. */
const forwarders: ReadonlySet<string> = new Set(['docker-proxy', 'conmon', 'netavark']);

interface Watched {
  readonly watch: agent.SocketWatch;
  readonly ports: readonly WatchedPort[];
  readonly memory: CallerMemory;
  /** Monotonic ms of the first look of an unbroken row of them. */
  since?: number;
  readAt?: number;
  fault: string;
  listening: boolean;
  own: number;
}

/** Looks at this machine's TCP connections for as long as the control plane asks for it, and at nothing otherwise. */
export class SocketWatcher {
  readonly #options: SocketWatcherOptions;
  readonly #nudge = new Nudge();
  #watched = new Map<string, Watched>();
  #looks = 0;
  #told = { summary: '', at: 0 };

  constructor(options: SocketWatcherOptions) {
    this.#options = options;
  }

  /** What is asked for from now on; what was seen of those that stay is kept. */
  watch(watches: readonly agent.SocketWatch[]): void {
    const next = new Map<string, Watched>();
    for (const watch of watches.slice(0, maxWatches)) {
      const { address, port, namespace, name } = watch;
      const key = JSON.stringify([address, port, namespace, name]);
      const known = this.#watched.get(key);
      next.set(key, known ?? { watch, ports: this.#portsOf(watch), memory: new CallerMemory(), fault: '', listening: false, own: 0 });
    }
    const begun = [...next.keys()].some((key) => !this.#watched.has(key));
    this.#watched = next;
    if (begun) this.#nudge.ask();
  }

  /** What is not looked at yet is left out. */
  report(): agent.SocketReport[] {
    const now = this.#options.clock.monotonic();
    return [...this.#watched.values()].flatMap((each): agent.SocketReport[] => {
      const { watch, ports, since, readAt, fault, listening, own } = each;
      if (readAt === undefined) return [];
      const { callers, more } = fault === '' ? each.memory.report(now) : { callers: [], more: 0 };
      const watchingMs = Math.round(now - (since ?? now));
      const common = { watch, ageMs: Math.round(now - readAt), watchingMs, inbound: ports[0]?.inbound ?? false, fault };
      return [{ ...common, listening, callers: [...callers], moreCallers: more, ownConnections: own, look: this.#looks }];
    });
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    try {
      while (!signal.aborted) {
        if (this.#watched.size > 0) await this.#look();
        await this.#nudge.wait(this.#watched.size > 0 ? intervalMs : 3_600_000, clock, signal);
      }
    } catch (error) {
      if (!isAborted(error)) throw error;
    }
  }

  async #look(): Promise<void> {
    const { read, clock, holders, pids, onReport } = this.#options;
    const watched = [...this.#watched.values()];
    const ports = new Set(watched.flatMap((each) => each.ports.map(({ port }) => port)));
    const reading = await read(ports);
    const now = clock.monotonic();
    if ('fault' in reading) {
      for (const each of watched) {
        each.fault = reading.fault;
        each.readAt = now;
        delete each.since;
      }
    } else {
      const found = watched.map((each) => each.ports.map((port) => findConnections(reading.rows, port)));
      const sockets = new Set(found.flat().flatMap(localInodes));
      const own = sockets.size === 0 ? sockets : await holders.socketsOf(pids());
      const programs = await holders.programsOf(new Set([...sockets].filter((inode) => !own.has(inode))));
      for (const [index, each] of watched.entries()) settle(each, found[index] ?? [], { own, programs, now });
    }
    this.#looks += 1;
    const news = summary(watched);
    if (news === this.#told.summary && now - this.#told.at < repeatMs) return;
    this.#told = { summary: news, at: now };
    onReport();
  }

  #portsOf({ address, port, namespace, name }: agent.SocketWatch): readonly WatchedPort[] {
    if (address !== '') return [{ address, port, inbound: this.#isMine(address) }];
    const mine = this.#options.services.filter((service) => service.namespace === namespace && service.name === name);
    return mine.map(({ appAddress, appPort }) => ({ address: appAddress, port: appPort, inbound: true }));
  }

  #isMine(address: string): boolean {
    if (address === this.#options.address || isLoopback(address)) return true;
    return Object.values(networkInterfaces()).some((list) => list?.some((each) => each.address === address) === true);
  }
}

interface Holding {
  readonly own: ReadonlySet<number>;
  readonly programs: ReadonlyMap<number, string>;
  readonly now: number;
}

function settle(each: Watched, found: readonly Found[], { own, programs, now }: Holding): void {
  const forwarder = found.map(({ listener }) => programs.get(listener?.inode ?? 0) ?? '').find((name) => forwarders.has(name));
  const inbound = each.ports[0]?.inbound ?? false;
  const missing = each.ports.length === 0 ? 'this agent does not carry that service' : '';
  const rewritten = `${forwarder} holds the port: the program runs in a network namespace of its own, whose connections are not in this table`;
  each.fault = forwarder === undefined ? missing : rewritten;
  each.readAt = now;
  if (each.fault === '') each.since ??= now;
  else delete each.since;
  each.listening = inbound && found.length > 0 && found.every(({ listener }) => listener !== undefined);
  const all = found.flatMap(({ connections }) => connections);
  const mine = all.filter(({ local }) => local !== undefined && own.has(local.inode));
  each.own = mine.filter(({ open }) => open).length;
  const others = all.filter((connection) => !mine.includes(connection));
  each.memory.note(
    others.map(({ address, local, open }) => ({ address, open, program: local === undefined ? '' : programOf(local, programs) })),
    now,
  );
}

function localInodes({ connections, listener }: Found): number[] {
  const local = connections.flatMap((connection) => (connection.local === undefined ? [] : [connection.local.inode]));
  return listener === undefined || listener.inode === 0 ? local : [...local, listener.inode];
}

function programOf({ inode, uid }: SocketRow, programs: ReadonlyMap<number, string>): string {
  return programs.get(inode) ?? `uid ${uid}`;
}

/** What is worth telling at once. */
function summary(watched: readonly Watched[]): string {
  return JSON.stringify(
    watched.map(({ fault, listening, readAt, memory }) => {
      const { callers, more } = memory.report(0);
      return [
        fault,
        listening,
        readAt === undefined,
        more,
        callers.map(({ address, program, connections }) => [address, program, connections]),
      ];
    }),
  );
}
