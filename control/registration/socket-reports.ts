import type { Clock } from '../../core/clock.ts';
import { isAborted } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import type { Store, StoredEntry } from '../../core/store.ts';
import type { SocketReport, SocketWatch } from '../../core/xds/gen/isthmus/agent/v1/agent.ts';
import { instanceIdOf, type RegisteredInstance } from '../../registries/vm/index.ts';
import type { SocketSighting, SocketTarget } from '../migrate/drain/index.ts';

const prefix = 'registrations/sockets/';
/** What one agent is asked, and may say. */
const limits = { watches: 64, callers: 64, text: 64 };
/** A report that is older was left behind by an agent that is gone, ms. */
const forgetMs = 600_000;

interface Kept {
  readonly instance: string;
  readonly network: string;
  readonly addresses: readonly string[];
  /** Of the agent's start, and its look at the table: a report that is repeated is not a new one. */
  readonly generation: number;
  readonly look: number;
  readonly reports: readonly Omit<SocketSighting, 'instance' | 'network' | 'addresses'>[];
}

/**
 * Which connections agents are asked for, and what they said last, of every replica: it goes by the store. Nothing is asked, written or kept
 * while there is no target. How old a report is, is counted here from when it came, so no clock of another machine is believed.
 */
export class SocketReports {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #known = new Map<string, { readonly kept: Kept; readonly at: number | undefined }>();
  #targets: readonly SocketTarget[] = [];

  constructor(deps: { readonly store: Store; readonly clock: Clock; readonly log: Log }) {
    this.#store = deps.store;
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  /** From now on; agents hear of it with the next reply. Every replica is told the same, as each hears agents of its own. */
  setTargets(targets: readonly SocketTarget[]): void {
    this.#targets = targets;
    if (targets.length === 0) this.#forget([...this.#known.keys()]);
  }

  /** What one agent is asked for. */
  watchesFor(record: RegisteredInstance): SocketWatch[] {
    if (this.#targets.length === 0 || record.role !== 'workload') return [];
    const mine = this.#targets.filter(
      ({ network, instance }) => network === record.network && (instance === undefined || instance === instanceIdOf(record)),
    );
    // Those of its own machine first: nobody else can tell of them.
    const isOwn = ({ watch }: SocketTarget) => (watch.address === '' || record.addresses.includes(watch.address) ? 0 : 1);
    return [...mine]
      .sort((a, b) => isOwn(a) - isOwn(b))
      .slice(0, limits.watches)
      .map(({ watch }) => watch);
  }

  /** Keeps what an agent said, for every replica. Rejects as the store does. */
  async take(key: string, record: RegisteredInstance, said: readonly SocketReport[]): Promise<void> {
    const asked = new Set(this.watchesFor(record).map((watch) => JSON.stringify(watch)));
    const reports = said.slice(0, limits.watches).filter(({ watch }) => watch !== undefined && asked.has(JSON.stringify(watch)));
    if (reports.length === 0) return;
    const kept: Kept = {
      instance: instanceIdOf(record),
      network: record.network,
      addresses: record.addresses,
      generation: record.generation,
      look: reports[0]?.look ?? 0,
      reports: reports.map(reportOf),
    };
    const known = this.#known.get(prefix + key)?.kept;
    if (known !== undefined && known.generation === kept.generation && known.look === kept.look) return;
    // Most machines of a network have nothing to do with the service: that they say so over and over is not worth a write.
    if (saysNothing(kept) && (known === undefined || saysNothing(known))) return;
    await this.#store.txn({ if: [], then: [{ op: 'put', key: prefix + key, value: Buffer.from(JSON.stringify(kept)) }] });
  }

  /** All that is known now. What was there when this replica began to follow has an age only once it is said again. */
  sightings(): readonly SocketSighting[] {
    const now = this.#clock.monotonic();
    return [...this.#known.values()].flatMap(({ kept, at }) => {
      const { instance, network, addresses } = kept;
      const since = at === undefined ? Number.POSITIVE_INFINITY : now - at;
      return kept.reports.map((report) => ({ ...report, instance, network, addresses, ageMs: report.ageMs + since }));
    });
  }

  /** Follows the store until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const { entries, revision } = await this.#store.list(prefix);
        this.#known.clear();
        for (const entry of entries) this.#take(entry, undefined);
        for await (const batch of this.#store.watch(prefix, revision, signal)) {
          for (const change of batch.changes) {
            if (change.kind === 'delete') this.#known.delete(change.key);
            else this.#take(change.entry, this.#clock.monotonic());
          }
          this.#expire();
        }
      } catch (error) {
        if (isAborted(error)) return;
        this.#log.warn({ error }, 'reports of connections cannot be read: they age');
        await this.#clock.sleep(1_000, signal).catch(() => undefined);
      }
    }
  }

  #take({ key, value }: StoredEntry, at: number | undefined): void {
    try {
      this.#known.set(key, { kept: JSON.parse(Buffer.from(value).toString('utf8')) as Kept, at });
    } catch {
      this.#known.delete(key);
    }
  }

  #expire(): void {
    const now = this.#clock.monotonic();
    this.#forget([...this.#known].filter(([, { at }]) => at !== undefined && now - at > forgetMs).map(([key]) => key));
  }

  #forget(keys: readonly string[]): void {
    for (const key of keys) {
      this.#known.delete(key);
      this.#store.txn({ if: [], then: [{ op: 'delete', key }] }).catch((error: unknown) => {
        this.#log.warn({ error, key }, 'an old report of connections could not be removed');
      });
    }
  }
}

function saysNothing({ reports }: Kept): boolean {
  return reports.every(
    ({ inbound, fault, callers, ownConnections }) => !inbound && fault === '' && callers.length === 0 && ownConnections === 0,
  );
}

/** Bounded: it comes from a machine, and goes to people. */
function reportOf(report: SocketReport): Kept['reports'][number] {
  const { watch, ageMs, watchingMs, inbound, listening, fault, callers, moreCallers, ownConnections } = report;
  const text = (written: string) => written.slice(0, limits.text).replace(/[^\x20-\x7e]/g, '?');
  return {
    watch: { address: watch?.address ?? '', port: watch?.port ?? 0, namespace: watch?.namespace ?? '', name: watch?.name ?? '' },
    ageMs,
    watchingMs,
    inbound,
    listening,
    fault: fault.slice(0, 256).replace(/[^\x20-\x7e]/g, '?'),
    callers: callers.slice(0, limits.callers).map(({ address, program, connections, idleMs }) => {
      return { address: text(address), program: text(program), connections, idleMs };
    }),
    moreCallers: moreCallers + Math.max(0, callers.length - limits.callers),
    ownConnections,
  };
}
