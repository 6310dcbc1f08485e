import { networkInterfaces } from 'node:os';
import type { Clock } from '../../core/clock.ts';
import { isAborted } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';

export interface OwnAddressOptions {
  /** An IP, which stays; or `auto`. */
  readonly configured: string;
  /** The IP towards the control plane; undefined while there is no way to it. */
  readonly find: () => Promise<string | undefined>;
  /** Every address of this machine's interfaces, in any order. Default: what the kernel says. */
  readonly interfaces?: () => readonly string[];
  readonly clock: Clock;
  readonly log: Log;
}

/** Between two looks at the interfaces, ms: Node is not told of changes. One look takes well under a millisecond. */
const lookMs = 1_000;
/** A route may change while the addresses stay, as where a second interface takes over. */
const askAnywayMs = 30_000;

/** Where nobody outside its own link is reached: a machine has these while it waits for a DHCP server. */
const linkLocal = /^(169\.254\.|fe[89ab][0-9a-f]:)/i;

/** The address that others of its network dial, over DHCP leases and moves. A machine without any keeps the last one that it had. */
export class OwnAddress {
  readonly #options: OwnAddressOptions;
  #current: string | undefined;
  #seen = '';
  #askedAt = 0;

  private constructor(options: OwnAddressOptions) {
    this.#options = options;
  }

  static async open(options: OwnAddressOptions): Promise<OwnAddress> {
    const own = new OwnAddress(options);
    if (options.configured === 'auto') await own.#look();
    else own.#current = options.configured;
    return own;
  }

  /** Undefined while none has been found. */
  get current(): string | undefined {
    return this.#current;
  }

  /** Calls back after each change until `signal` aborts. Returns at once where the address was configured. */
  async run(onChange: (address: string) => void, signal: AbortSignal): Promise<void> {
    const { configured, clock, log } = this.#options;
    if (configured !== 'auto') return;
    try {
      for (;;) {
        await clock.sleep(lookMs, signal);
        const before = this.#current;
        await this.#look();
        const after = this.#current;
        if (after === undefined || after === before || signal.aborted) continue;
        log.info({ before, address: after }, 'this machine has another address');
        onChange(after);
      }
    } catch (error) {
      if (!isAborted(error)) throw error;
    }
  }

  async #look(): Promise<void> {
    const { find, interfaces = addressesOfInterfaces, clock } = this.#options;
    const all = interfaces();
    const seen = [...all].sort().join(' ');
    const now = clock.monotonic();
    const lost = this.#current === undefined || !all.includes(this.#current);
    if (seen === this.#seen && !lost && now - this.#askedAt < askAnywayMs) return;
    this.#askedAt = now;
    const found = await find();
    // Looked at again while nothing leads to the control plane: the route may come after the address.
    this.#seen = found === undefined ? '' : seen;
    if (found !== undefined && !linkLocal.test(found)) this.#current = found;
  }
}

function addressesOfInterfaces(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
}
