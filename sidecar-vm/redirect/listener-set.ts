import { noRightAdvice, type PlannedListener, type PortTaken, portTakenAdvice } from './plan-listeners.ts';

/** An open listener; `close` stops accepting and lets running connections finish. */
export interface OpenListener {
  close(): Promise<void>;
}

/** How many are opened side by side: what a change costs the data plane is paid once for each group. */
const together = 128;

/** Rejects with a Node error whose `code` is EADDRINUSE or EACCES when the port cannot be had. */
export type OpenOutbound = (listener: PlannedListener) => Promise<OpenListener>;

/**
 * Holds exactly the planned listeners open. A port that is taken when we come is left alone and tried again at the next
 * `apply`; what goes on running is not touched.
 */
export class ListenerSet {
  readonly #open: OpenOutbound;
  readonly #running = new Map<string, { readonly planned: PlannedListener; readonly listener: OpenListener }>();
  #taken: readonly PortTaken[] = [];
  #last: Promise<void> = Promise.resolve();

  constructor(open: OpenOutbound) {
    this.#open = open;
  }

  get listeners(): readonly PlannedListener[] {
    return [...this.#running.values()].map((r) => r.planned);
  }

  /** Ports that could not be had at the last apply. */
  get taken(): readonly PortTaken[] {
    return this.#taken;
  }

  /** Serialised: a plan that comes while another is applied waits. */
  apply(planned: readonly PlannedListener[]): Promise<void> {
    const run = this.#last.then(() => this.#apply(planned));
    this.#last = run.catch(() => {});
    return run;
  }

  close(): Promise<void> {
    return this.apply([]);
  }

  async #apply(planned: readonly PlannedListener[]): Promise<void> {
    const wanted = new Map(planned.map((p) => [keyOf(p), p]));
    const gone = [...this.#running].filter(([key]) => !wanted.has(key));
    for (const [key] of gone) this.#running.delete(key);
    await Promise.all(gone.map(([, { listener }]) => listener.close()));
    const missing = [...wanted].filter(([key]) => !this.#running.has(key));
    const taken: PortTaken[] = [];
    for (let i = 0; i < missing.length; i += together) {
      const tried = await Promise.allSettled(missing.slice(i, i + together).map(([key, planned]) => this.#begin(key, planned)));
      for (const each of tried) {
        if (each.status === 'rejected') throw each.reason;
        if (each.value !== undefined) taken.push(each.value);
      }
    }
    this.#taken = taken;
  }

  /** Resolves with why not, when another program has the port. */
  async #begin(key: string, planned: PlannedListener): Promise<PortTaken | undefined> {
    try {
      this.#running.set(key, { planned, listener: await this.#open(planned) });
      return undefined;
    } catch (error) {
      const code = bindFailure(error);
      if (code === undefined) throw error;
      const advise = code === 'EACCES' ? noRightAdvice : portTakenAdvice;
      return { host: planned.host, port: planned.port, reason: advise(planned.host, planned.port) };
    }
  }
}

function keyOf(l: PlannedListener): string {
  return `${l.address}:${l.port} ${l.protocol} ${l.clusterName}${l.captured === true ? ' captured' : ''}`;
}

/** The innermost code says most: a MeshError PORT_TAKEN has the bind error as its cause. */
function bindFailure(error: unknown): string | undefined {
  let found: string | undefined;
  for (let e: unknown = error; e instanceof Error; e = e.cause) {
    const code = 'code' in e ? e.code : undefined;
    if (code === 'EADDRINUSE' || code === 'EACCES' || code === 'PORT_TAKEN') found = code;
  }
  return found;
}
