import type { Clock } from '../../../core/clock.ts';
import type { RootReport } from '../../../core/xds/gen/isthmus/agent/v1/agent.ts';

/** What one instance said last of the roots that it leans on. */
export interface InstanceRoots {
  /** Serial of the SVID that it presents to new connections. */
  readonly serial: string;
  /** Fingerprints of roots that it has stored. */
  readonly trusted: ReadonlySet<string>;
  readonly uses: readonly { readonly root: string; readonly idleMs: number; readonly lastPeer: string }[];
}

const mostUses = 8;

/** By instance, of those that are registered over this replica now: `NAMESPACE/SERVICE-ACCOUNT/INSTANCE`. */
export class RootReports {
  readonly #clock: Clock;
  readonly #reports = new Map<string, { readonly said: InstanceRoots; readonly at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  take(name: string, report: RootReport): void {
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
    const said: InstanceRoots = {
      serial: report.serial,
      trusted: new Set(report.trusted.slice(0, mostUses).map(hex)),
      uses: report.uses
        .slice(0, mostUses)
        .map(({ root, idleMs, lastPeer }) => ({ root: hex(root), idleMs, lastPeer: lastPeer.slice(0, 300) })),
    };
    this.#reports.set(name, { said, at: this.#clock.monotonic() });
  }

  gone(name: string): void {
    this.#reports.delete(name);
  }

  /** As of now: what was idle when it was said has been idle for longer. */
  current(): ReadonlyMap<string, InstanceRoots> {
    const now = this.#clock.monotonic();
    return new Map(
      [...this.#reports].map(([name, { said, at }]) => [
        name,
        { ...said, uses: said.uses.map((use) => ({ ...use, idleMs: use.idleMs + now - at })) },
      ]),
    );
  }
}
