import type { Clock } from '../../core/clock.ts';
import { sha256Hex, type TrustBundle } from '../../core/pki/index.ts';
import type { Store } from '../../core/store.ts';
import { contentDigest, formatBundle, type JwtAuthority } from './bundle-document.ts';

export interface OwnBundleOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly refreshHintMs: number;
  readonly bundle: () => TrustBundle;
  readonly jwtKeys: () => readonly JwtAuthority[];
}

export interface PublishedBundle {
  readonly document: string;
  /** A quoted digest of it. */
  readonly etag: string;
  readonly sequence: number;
}

const key = 'federation/own';
const attempts = 5;

/** Our own bundle as others see it: numbered, durably, so that after each change, of restarts and of replicas the higher number is the newer one. */
export class OwnBundle {
  readonly #options: OwnBundleOptions;
  #published: { readonly digest: string; readonly value: PublishedBundle } | undefined;

  constructor(options: OwnBundleOptions) {
    this.#options = options;
  }

  /** As it is now. Rejects with STORE_UNAVAILABLE where a change cannot be numbered. */
  async current(): Promise<PublishedBundle> {
    const { bundle, jwtKeys, refreshHintMs } = this.#options;
    const content = { authorities: bundle().roots, jwtKeys: jwtKeys() };
    const digest = contentDigest(content);
    if (this.#published?.digest === digest) return this.#published.value;
    const sequence = await this.#number(digest);
    const document = formatBundle({ ...content, sequence, refreshHintMs });
    const value = { document, etag: `"${sha256Hex(document).slice(0, 32)}"`, sequence };
    this.#published = { digest, value };
    return value;
  }

  /** Follows the clock, so that a control plane that lost its store is still newer than what it was. */
  async #number(digest: string): Promise<number> {
    const { store, clock } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      const entry = await store.get(key);
      const last = entry === undefined ? undefined : read(entry.value);
      if (last?.digest === digest) return last.sequence;
      const sequence = Math.max((last?.sequence ?? 0) + 1, Math.floor(clock.now() / 1_000));
      const value = Buffer.from(JSON.stringify({ digest, sequence }));
      const { succeeded } = await store.txn({ if: [{ key, modRevision: entry?.modRevision ?? 0 }], then: [{ op: 'put', key, value }] });
      if (succeeded || attempt === attempts) return sequence;
    }
  }
}

function read(bytes: Uint8Array): { digest: string; sequence: number } | undefined {
  try {
    const { digest, sequence } = JSON.parse(Buffer.from(bytes).toString('utf8')) as { digest?: unknown; sequence?: unknown };
    return typeof digest === 'string' && typeof sequence === 'number' ? { digest, sequence } : undefined;
  } catch {
    return undefined;
  }
}
