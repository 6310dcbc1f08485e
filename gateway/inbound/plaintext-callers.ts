/** Addresses that are remembered; beyond them the one that was silent the longest is forgotten, and counted. */
const mostKept = 256;
const mostSaid = 64;

export interface PlaintextCallersSaid {
  /** The latest first, 64 at most. */
  readonly callers: readonly {
    readonly address: string;
    readonly letIn: number;
    readonly refused: number;
    /** Since the last connection or request; 0 while a byte stream stands. */
    readonly idleMs: number;
  }[];
  /** At least: one that was forgotten and came again counts twice. */
  readonly moreCallers: number;
}

interface Caller {
  letIn: number;
  refused: number;
  open: number;
  lastAt: number;
}

/** Who called in the clear, by address. Times are monotonic, ms. */
export class PlaintextCallers {
  /** The longest silent first. */
  readonly #byAddress = new Map<string, Caller>();
  #forgotten = 0;

  letIn(address: string, now: number): void {
    this.#touch(address, now).letIn += 1;
  }

  refused(address: string, now: number, count = 1): void {
    this.#touch(address, now).refused += count;
  }

  saw(address: string, now: number): void {
    this.#touch(address, now);
  }

  /** A byte stream of its own has begun, and will end. */
  stays(address: string): void {
    const caller = this.#byAddress.get(address);
    if (caller !== undefined) caller.open += 1;
  }

  goes(address: string, now: number): void {
    const caller = this.#byAddress.get(address);
    if (caller === undefined) return;
    caller.open = Math.max(0, caller.open - 1);
    this.#touch(address, now);
  }

  said(now: number): PlaintextCallersSaid {
    const idle = ({ open, lastAt }: Caller) => (open > 0 ? 0 : Math.max(0, Math.round(now - lastAt)));
    const all = [...this.#byAddress].map(([address, caller]) => {
      const { letIn, refused } = caller;
      return { address, letIn, refused, idleMs: idle(caller) };
    });
    const latest = all.sort((a, b) => a.idleMs - b.idleMs || (a.address < b.address ? -1 : 1));
    return { callers: latest.slice(0, mostSaid), moreCallers: this.#forgotten + Math.max(0, latest.length - mostSaid) };
  }

  #touch(address: string, now: number): Caller {
    const caller = this.#byAddress.get(address) ?? { letIn: 0, refused: 0, open: 0, lastAt: now };
    caller.lastAt = now;
    this.#byAddress.delete(address);
    this.#byAddress.set(address, caller);
    if (this.#byAddress.size > mostKept) this.#forget();
    return caller;
  }

  #forget(): void {
    for (const [address, { open }] of this.#byAddress) {
      if (open > 0) continue;
      this.#byAddress.delete(address);
      this.#forgotten += 1;
      return;
    }
    const [first] = this.#byAddress.keys();
    if (first === undefined) return;
    this.#byAddress.delete(first);
    this.#forgotten += 1;
  }
}
