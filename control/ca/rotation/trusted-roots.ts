import { type Certificate, fingerprintOf, parseCertificate } from '../../../core/pki/index.ts';
import { peering } from '../../../core/xds/index.ts';
import { admitStatement, readStatement, type Statement } from './statement.ts';

/** Kept for those who were away: three or four make a rotation. */
const mostStatements = 48;

/** What of this is on disk. */
export interface StoredTrust {
  /** TrustStatements, base64, oldest first. */
  readonly statements: readonly string[];
  /** DER, base64. */
  readonly roots: readonly string[];
}

export interface TrustFile {
  /** Durable when it resolves. */
  saveTrust(trust: StoredTrust): Promise<void>;
}

/**
 * The roots that count in this cluster, and the statements by which they came to. Statements that are believed are durable before
 * anything is made of them. A root that a statement leaves out stays for as long as `drop` is not told that it may go.
 */
export class TrustedRoots {
  readonly trustDomain: string;
  readonly #file: TrustFile;
  #roots: readonly Certificate[];
  #statements: readonly Statement[];
  #last: Promise<unknown> = Promise.resolve();

  constructor(trustDomain: string, file: TrustFile, stored: StoredTrust) {
    this.trustDomain = trustDomain;
    this.#file = file;
    this.#roots = stored.roots.flatMap((text) => {
      const parsed = parseCertificate(Buffer.from(text, 'base64'));
      return parsed.ok ? [parsed.value] : [];
    });
    this.#statements = stored.statements.flatMap((text) => {
      const read = readStatement(peering.TrustStatement.decode(Buffer.from(text, 'base64')));
      return read.ok ? [read.value] : [];
    });
  }

  get roots(): readonly Certificate[] {
    return this.#roots;
  }

  /** Oldest first. */
  get statements(): readonly Statement[] {
    return this.#statements;
  }

  /** The last that was believed. */
  get latest(): Statement | undefined {
    return this.#statements.at(-1);
  }

  /** Of the statement that is in force as a whole; one less than the last while a root that it leaves out is still in use. */
  get version(): number {
    const { latest } = this;
    if (latest === undefined) return 0;
    return this.leftOver().length === 0 ? latest.version : latest.version - 1;
  }

  /** Roots that the last statement leaves out and that still count here. */
  leftOver(): readonly Certificate[] {
    const { latest } = this;
    return latest === undefined ? [] : this.#roots.filter((root) => !latest.roots.some((each) => each.der.equals(root.der)));
  }

  /** Takes roots that joining, or a root that is online here, vouches for. Not durable by itself: see `stored`. */
  adopt(roots: readonly Certificate[]): void {
    this.#roots = merged(this.#roots, roots);
  }

  get stored(): StoredTrust {
    return stored(this.#roots, this.#statements);
  }

  /** Takes those that are to be believed, in order; durable when it resolves. Returns whether any was, and why newer ones were not. */
  admit(
    offered: readonly peering.TrustStatement[],
    now: number,
  ): Promise<{ readonly changed: boolean; readonly faults: readonly string[] }> {
    return this.#inTurn(async () => {
      const faults: string[] = [];
      let roots = this.#roots;
      let statements = this.#statements;
      for (const signed of offered.slice(-mostStatements)) {
        const read = readStatement(signed);
        const version = statements.at(-1)?.version ?? 0;
        if (read.ok && read.value.version <= version) continue;
        const soFar = { trustDomain: this.trustDomain, version, roots };
        const fault = read.ok ? admitStatement(read.value, soFar, now) : read.violations[0]?.message;
        if (!read.ok || fault !== undefined) {
          faults.push(`statement ${read.ok ? read.value.version : '?'}: ${fault}`);
          continue;
        }
        roots = merged(roots, read.value.roots);
        statements = [...statements, read.value].slice(-mostStatements);
      }
      if (statements === this.#statements) return { changed: false, faults };
      await this.#file.saveTrust(stored(roots, statements));
      this.#roots = roots;
      this.#statements = statements;
      return { changed: true, faults };
    });
  }

  /** Lets go of roots that the last statement leaves out. Durable when it resolves. */
  drop(fingerprints: readonly string[]): Promise<boolean> {
    return this.#inTurn(async () => {
      const left = new Set(this.leftOver().map(fingerprintOf));
      const roots = this.#roots.filter((root) => !(left.has(fingerprintOf(root)) && fingerprints.includes(fingerprintOf(root))));
      if (roots.length === this.#roots.length) return false;
      await this.#file.saveTrust(stored(roots, this.#statements));
      this.#roots = roots;
      return true;
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

function stored(roots: readonly Certificate[], statements: readonly Statement[]): StoredTrust {
  return {
    roots: roots.map((root) => root.der.toString('base64')),
    statements: statements.map(({ signed }) => Buffer.from(peering.TrustStatement.encode(signed).finish()).toString('base64')),
  };
}

function merged(a: readonly Certificate[], b: readonly Certificate[]): readonly Certificate[] {
  const added = b.filter((each) => !a.some((known) => known.der.equals(each.der)));
  return added.length === 0 ? a : [...a, ...added];
}
