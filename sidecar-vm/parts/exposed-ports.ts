import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { agent } from '../../core/xds/index.ts';
import type { Inbound, OpenPort, PlaintextCount } from '../../gateway/index.ts';
import type { AgentOptions } from '../options.ts';
import { exposedTakenAdvice, type PortTaken } from '../redirect/index.ts';

type Service = AgentOptions['services'][number];

/** How soon a port that another program held is asked for again, and how often callers are told of, ms. */
const lookMs = 5_000;
/** Also when nothing was counted: how long it has been counted is news. */
const sayAgainMs = 60_000;

export interface ExposedPortsOptions {
  readonly services: readonly Service[];
  readonly inbound: Pick<Inbound, 'expose' | 'plaintext'>;
  /** There is something new to report. */
  readonly onReport: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** The ports at which this machine takes callers without mesh, and what is known of these. */
export class ExposedPorts {
  readonly #options: ExposedPortsOptions;
  readonly #exposed: readonly (Service & { readonly expose: NonNullable<Service['expose']> })[];
  readonly #open = new Map<Service, OpenPort>();
  #taken = new Map<Service, PortTaken>();
  #said: agent.PlaintextReports | undefined;

  constructor(options: ExposedPortsOptions) {
    this.#options = options;
    this.#exposed = options.services.flatMap((each) => (each.expose === undefined ? [] : [{ ...each, expose: each.expose }]));
  }

  /** Ports that could not be had; the app wins. */
  get taken(): readonly PortTaken[] {
    return [...this.#taken.values()];
  }

  readonly isOpen = ({ namespace, name, port }: Service): boolean =>
    [...this.#open.keys()].some((each) => each.namespace === namespace && each.name === name && each.port === port);

  /** Tries each that is not open. What another program has is told, and tried again by `run`. */
  async open(): Promise<void> {
    const { inbound, log } = this.#options;
    for (const service of this.#exposed) {
      if (this.#open.has(service)) continue;
      try {
        this.#open.set(service, await inbound.expose(service.expose));
        this.#taken.delete(service);
      } catch (error) {
        if (!(error instanceof MeshError) || error.code !== 'PORT_TAKEN') throw error;
        const taken = takenBy(service, service.expose);
        if (!this.#taken.has(service)) log.warn({ code: 'PORT_TAKEN', ...taken }, 'not listening');
        this.#taken.set(service, taken);
      }
    }
  }

  /** What reports say, the same until something has changed: heartbeats repeat it. Empty: nothing is exposed, or known yet. */
  report(): Pick<agent.Report, 'plaintext'> {
    return this.#said === undefined ? {} : { plaintext: this.#said };
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#exposed.length === 0) return;
    const { inbound, onReport, clock } = this.#options;
    let seen = -1;
    let saidAt = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      const { changes } = inbound.plaintext;
      const now = clock.monotonic();
      if (changes !== seen || now - saidAt >= sayAgainMs) {
        seen = changes;
        saidAt = now;
        this.#said = { services: inbound.plaintext.report().map(reportOf) };
        onReport();
      }
      await clock.sleep(lookMs, signal).catch(() => undefined);
      if (!signal.aborted && this.#taken.size > 0) await this.open();
    }
  }
}

/** With all that can be had open. `onReport`: there is something new to report. */
export async function openExposed(
  services: readonly Service[],
  inbound: ExposedPortsOptions['inbound'],
  onReport: () => void,
  deps: Pick<ExposedPortsOptions, 'clock' | 'log'>,
): Promise<ExposedPorts> {
  const ports = new ExposedPorts({ services, inbound, onReport, ...deps });
  await ports.open();
  return ports;
}

function takenBy({ namespace, name }: Service, place: NonNullable<Service['expose']>): PortTaken {
  return { host: `${name}.${namespace}`, port: place.port, reason: exposedTakenAdvice(`${namespace}/${name}`, place) };
}

function reportOf({ service: name, ...count }: PlaintextCount): agent.PlaintextReport {
  return { ...count, name, callers: count.callers.map((each) => ({ ...each })) };
}
