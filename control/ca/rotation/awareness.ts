import type { InstanceRoots } from './root-reports.ts';

/** Who is waited for. */
export interface Laggard {
  /** NAMESPACE/SERVICE-ACCOUNT/INSTANCE, or what a peer calls it. */
  readonly name: string;
  /** For people. */
  readonly reason: string;
  readonly offline: boolean;
}

/** An SVID that was issued here and has not ended. */
export interface HeldSvid {
  readonly name: string;
  readonly serial: string;
  /** Fingerprint of the root that it is under; undefined: not known any more. */
  readonly root: string | undefined;
  /** Unix ms. */
  readonly notAfter: number;
}

export interface AwarenessInput {
  /** Fingerprints of the roots that count, and of the signing certificates. */
  readonly roots: readonly string[];
  readonly intermediates: readonly string[];
  /** Connected clients of xDS; `behind`: not at the newest bundle. */
  readonly clients: readonly { readonly name: string; readonly behind: boolean }[];
  readonly reports: ReadonlyMap<string, InstanceRoots>;
  /** The newest of each holder. */
  readonly held: readonly HeldSvid[];
  readonly without: readonly string[];
  /** ms, monotonic. */
  readonly now: number;
}

export interface AwarenessOptions {
  /** Somebody may have taken part before this process began, and is heard anew. */
  readonly returning: boolean;
  /** Within this those who were cut off come back: until then they are waited for. */
  readonly returnMs: number;
  /** ms, monotonic. */
  readonly now: number;
}

export interface Aware {
  /** What everybody who is waited for has taken. */
  readonly known: readonly string[];
  readonly unaware: readonly Laggard[];
}

/** Whether an operator has said not to wait for this one: by its whole name, or by the last part of it. */
export function isLeftOut(name: string, without: readonly string[]): boolean {
  return without.some((each) => each === name || name.endsWith(`/${each}`));
}

/**
 * Remembers who has taken which certificate, for certain: an acknowledgement of the bundle, and of our own agents and gateways, for roots, their word that it is
 * on disk. Kept while an instance is away: what is on its disk is there when it comes back. In memory: a control plane that starts anew hears it again, and
 * until those have had the time to come back whom it knows nothing of, such as the Envoys of agents, it says of nothing that everybody has it.
 */
export class Awareness {
  readonly #taken = new Map<string, Set<string>>();
  /** When each client was last connected. */
  readonly #seen = new Map<string, number>();
  readonly #returnMs: number;
  readonly #settledAt: number;

  constructor({ returning, returnMs, now }: AwarenessOptions) {
    this.#returnMs = returnMs;
    this.#settledAt = returning ? now + returnMs : now;
  }

  look(input: AwarenessInput): Aware {
    const { roots, intermediates, clients, reports, held, without, now } = input;
    const all = [...roots, ...intermediates];
    for (const { name, behind } of clients) {
      const report = reports.get(name);
      if (!behind) this.#take(name, report === undefined ? all : [...intermediates, ...roots.filter((root) => report.trusted.has(root))]);
    }
    const connected = new Set(clients.map((client) => client.name));
    const unaware: Laggard[] = [];
    const missing = new Set<string>();
    const wait = (name: string, wanted: readonly string[], reason: string, offline: boolean) => {
      const lacking = wanted.filter((each) => this.#taken.get(name)?.has(each) !== true);
      if (lacking.length === 0 || isLeftOut(name, without)) return;
      for (const each of lacking) missing.add(each);
      unaware.push({ name, reason, offline });
    };
    for (const name of connected) {
      const stored = reports.get(name) !== undefined && !clients.some((c) => c.name === name && c.behind);
      wait(name, all, stored ? 'has not stored all roots yet' : 'has not acknowledged the newest bundle', false);
    }
    for (const name of connected) this.#seen.set(name, now);
    for (const [name, at] of this.#seen) {
      if (connected.has(name)) continue;
      if (now - at >= this.#returnMs) this.#seen.delete(name);
      else wait(name, all, 'was cut off a moment ago', true);
    }
    // One root is what everybody began with.
    const away = roots.length < 2 ? [] : held.filter(({ name }) => !connected.has(name) && !this.#seen.has(name));
    for (const { name, notAfter } of away)
      wait(name, roots, `is not connected; its SVID ends at ${new Date(notAfter).toISOString()}`, true);
    this.#forget(new Set([...this.#seen.keys(), ...held.map((each) => each.name)]), new Set(all));
    if (now < this.#settledAt) {
      unaware.push({ name: 'control', reason: 'has just started: proxies may not be back yet', offline: false });
      return { known: [], unaware };
    }
    return { known: all.filter((each) => !missing.has(each)), unaware };
  }

  #take(name: string, certificates: readonly string[]): void {
    const taken = this.#taken.get(name) ?? new Set();
    for (const each of certificates) taken.add(each);
    this.#taken.set(name, taken);
  }

  #forget(names: ReadonlySet<string>, certificates: ReadonlySet<string>): void {
    for (const [name, taken] of this.#taken) {
      if (!names.has(name)) this.#taken.delete(name);
      for (const each of taken) if (!certificates.has(each)) taken.delete(each);
    }
  }
}

export interface HoldingInput {
  /** Fingerprint of the root that signs. */
  readonly signing: string;
  /** All that have not ended. */
  readonly issued: readonly HeldSvid[];
  /** The newest of each holder. */
  readonly held: readonly HeldSvid[];
  readonly reports: ReadonlyMap<string, InstanceRoots>;
  /** Handshakes that the control plane itself saw. */
  readonly own: InstanceRoots['uses'];
  /** Handshakes older than this count no more. */
  readonly quietMs: number;
  readonly without: readonly string[];
}

/** Who holds, presents or still meets what is under a root that does not sign. Pure. */
export function holding({ signing, issued, held, reports, own, quietMs, without }: HoldingInput): readonly Laggard[] {
  const found: Laggard[] = [];
  const bySerial = new Map(issued.map((each) => [each.serial, each]));
  for (const { name, root, notAfter } of held) {
    if (root === signing) continue;
    const reason = `holds an SVID under another root until ${new Date(notAfter).toISOString()}`;
    found.push({ name, reason, offline: !reports.has(name) });
  }
  for (const [name, { serial, uses }] of reports) {
    const presented = bySerial.get(serial);
    if (presented !== undefined && presented.root !== signing && !found.some((each) => each.name === name))
      found.push({ name, reason: 'presents an SVID under another root', offline: false });
    found.push(...uses.flatMap((use) => met(name, use, signing, quietMs)));
  }
  found.push(...own.flatMap((use) => met('control', use, signing, quietMs)));
  return found.filter((each) => !isLeftOut(each.name, without));
}

function met(name: string, use: InstanceRoots['uses'][number], signing: string, quietMs: number): Laggard[] {
  if (use.root === signing || use.idleMs >= quietMs) return [];
  return [{ name, reason: `met ${use.lastPeer} under another root not long ago`, offline: false }];
}
