import { type Svid, svidKeyDer } from '../../../core/identity/index.ts';
import type { EngineTables } from '../contract.ts';
import type { NativeIdentity, NativeSvid, NativeTrust } from './messages.ts';

type Trust = EngineTables['trust'];

/** Holds the key: for the engine alone. */
export function encodeIdentity({ svid, trust }: Pick<EngineTables, 'svid' | 'trust'>): NativeIdentity {
  return { ...encodeSvid(svid), trust: encodeTrust(trust) };
}

function encodeSvid(svid: Svid): NativeSvid {
  return { chain: svid.chainDer.map(hex), key: svidKeyDer(svid).toString('hex') };
}

/** SVIDs that rules show in place of the tables', each under a name of its own: many rules show one, and it is told once. */
export class SvidNames {
  readonly #names = new WeakMap<Svid, string>();
  readonly #used = new Map<string, Svid>();
  readonly #told = new Set<string>();
  #next = 0;

  /** Asked for by each rule of the tables, and so what is not asked for any more is forgotten. */
  nameOf(svid: Svid): string {
    let name = this.#names.get(svid);
    if (name === undefined) {
      this.#next += 1;
      name = `s${this.#next}`;
      this.#names.set(svid, name);
    }
    this.#used.set(name, svid);
    return name;
  }

  /** Since it was asked last. Undefined: nothing. */
  changes(): Record<string, NativeSvid | null> | undefined {
    const changes: Record<string, NativeSvid | null> = {};
    for (const [name, svid] of this.#used) {
      if (!this.#told.has(name)) changes[name] = encodeSvid(svid);
      this.#told.add(name);
    }
    for (const name of this.#told) {
      if (this.#used.has(name)) continue;
      changes[name] = null;
      this.#told.delete(name);
    }
    this.#used.clear();
    return Object.keys(changes).length === 0 ? undefined : changes;
  }

  forgetTold(): void {
    this.#told.clear();
  }
}

function encodeTrust({ trustDomain, roots, intermediates, deniedSerials, others = [] }: Trust): NativeTrust {
  return {
    trustDomain,
    roots: roots.map(hex),
    intermediates: intermediates.map(({ cluster, certificate }) => ({ cluster, certificate: hex(certificate) })),
    deniedSerials,
    others: others.map(encodeTrust),
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
