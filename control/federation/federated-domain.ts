import { readFile } from 'node:fs/promises';
import type { Clock } from '../../core/clock.ts';
import type { FederatedTrustDomainSpec } from '../../core/config/index.ts';
import { MeshError, toMeshError } from '../../core/errors.ts';
import { isAborted } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import { bundleOf, sha256Hex, type TrustBundle } from '../../core/pki/index.ts';
import type { Store } from '../../core/store.ts';
import {
  type ForeignBundle,
  foreignBundle,
  type KeptBundle,
  readKept,
  refreshAfterMs,
  retryAfterMs,
  successionFault,
} from './foreign-bundle.ts';
import { requestBundle } from './request-bundle.ts';

export interface DomainOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** After each change of the bundle. */
  readonly onChange: () => void;
  /** A bundle or its endpoint was refused: why. */
  readonly onRefused: (error: MeshError, trustDomain: string) => void;
}

export interface DomainStatus {
  readonly spec: FederatedTrustDomainSpec;
  /** Absent: none is known, and nobody of that domain is let in. */
  readonly known?: ForeignBundle;
  /** Of the last attempt; absent: it went well, or there was none. */
  readonly error?: string;
  readonly failures: number;
  /** Unix ms; absent: nobody looks by itself. */
  readonly nextAt?: number;
}

const prefix = 'federation/bundles/';

/** One other trust domain: what is known of it, kept in the store, and looked for anew. The last good bundle stays for as long as no better one comes. */
export class FederatedDomain {
  readonly spec: FederatedTrustDomainSpec;
  readonly #options: DomainOptions;
  #known: ForeignBundle | undefined;
  #error: string | undefined;
  #failures = 0;
  #nextAt: number | undefined;
  #asked: Promise<void> | undefined;

  constructor(spec: FederatedTrustDomainSpec, options: DomainOptions) {
    this.spec = spec;
    this.#options = options;
  }

  get trust(): TrustBundle | undefined {
    return this.#known?.trust;
  }

  status(): DomainStatus {
    const [known, error, nextAt] = [this.#known, this.#error, this.#nextAt];
    return {
      spec: this.spec,
      failures: this.#failures,
      ...(known === undefined ? {} : { known }),
      ...(error === undefined ? {} : { error }),
      ...(nextAt === undefined ? {} : { nextAt }),
    };
  }

  /** What the store has; or `bundleFile`, where it is another than the store's bundle began with: an operator's word is newer than any endpoint's. */
  async load(): Promise<void> {
    const { store, clock } = this.#options;
    const { trustDomain, bundleFile } = this.spec;
    const entry = await store.get(prefix + trustDomain);
    const kept = entry === undefined ? undefined : readKept(trustDomain, entry.value);
    const file = bundleFile === undefined ? undefined : await this.#read(bundleFile);
    const seed = file === undefined ? '' : sha256Hex(file);
    if (file === undefined || kept?.kept.seed === seed) return this.#take(kept);
    const made = foreignBundle(trustDomain, { document: file, confirmedAt: clock.now(), etag: '', seed });
    if (typeof made === 'string') {
      this.#fail(new MeshError('CONFIG_INVALID', `bundleFile ${bundleFile} ${made}`));
      return this.#take(kept);
    }
    this.#take(made);
    await this.#keep(made.kept);
  }

  /** Looks again and again, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    if (this.spec.bundleEndpoint === undefined) return;
    try {
      for (;;) {
        await this.refresh(signal).catch(() => undefined);
        const waitMs = this.#failures === 0 ? refreshAfterMs(this.#known?.bundle ?? {}, random()) : retryAfterMs(this.#failures, random());
        this.#nextAt = clock.now() + waitMs;
        await clock.sleep(waitMs, signal);
      }
    } catch (error) {
      if (!isAborted(error)) throw error;
    }
  }

  /** Looks now, into `bundleFile` where that is all there is; one at a time. Rejects with what requestBundle says, PROTOCOL_ERROR for a bundle that is refused, CONFIG_INVALID for a file. */
  refresh(signal: AbortSignal): Promise<void> {
    this.#asked ??= (this.spec.bundleEndpoint === undefined ? this.#readAgain() : this.#fetch(signal))
      .then(
        () => {
          this.#failures = 0;
          this.#error = undefined;
        },
        (error: unknown) => {
          const fault = toMeshError(error, 'UPSTREAM_UNREACHABLE');
          if (!signal.aborted && this.spec.bundleEndpoint !== undefined) this.#fail(fault);
          throw fault;
        },
      )
      .finally(() => {
        this.#asked = undefined;
      });
    return this.#asked;
  }

  /** What is wrong with the file is counted there. */
  async #readAgain(): Promise<void> {
    const before = this.#failures;
    await this.load();
    if (this.#failures > before) throw new MeshError('CONFIG_INVALID', this.#error ?? 'bundleFile cannot be read');
  }

  async #fetch(signal: AbortSignal): Promise<void> {
    const { trustDomain, bundleEndpoint: endpoint } = this.spec;
    const { clock } = this.#options;
    if (endpoint === undefined) return;
    const known = this.#known;
    const { etag = '', seed = '' } = known?.kept ?? {};
    const trust = known?.trust ?? bundleOf(trustDomain, []);
    const reply = await requestBundle({ endpoint, trust, etag, now: () => clock.now(), signal });
    const document = reply.text ?? known?.kept.document ?? '';
    const next = foreignBundle(trustDomain, { document, confirmedAt: clock.now(), etag: reply.etag, seed });
    if (typeof next === 'string') throw new MeshError('PROTOCOL_ERROR', `the bundle of ${trustDomain} ${next}`);
    // While it was fetched, an operator may have said another.
    const before = this.#known;
    const fault = before === undefined ? undefined : successionFault(before.bundle, next.bundle);
    if (fault !== undefined) throw new MeshError('PROTOCOL_ERROR', `the bundle of ${trustDomain} ${fault}`);
    await this.#keep(next.kept);
    this.#take(next);
  }

  #take(next: ForeignBundle | undefined): void {
    const before = this.#known;
    // The same object while nothing changes: TLS contexts are kept by it.
    const same = before !== undefined && next !== undefined && before.kept.document === next.kept.document;
    this.#known = same ? { ...before, kept: next.kept } : next;
    if (same || next === undefined) return;
    const { sequence, authorities } = next.bundle;
    this.#options.log.info(
      { trustDomain: this.spec.trustDomain, sequence, authorities: authorities.length },
      'bundle of another trust domain taken',
    );
    this.#options.onChange();
  }

  /** Of several replicas the one that knows more wins; the others read it at their next start, and fetch it themselves until then. */
  async #keep(kept: KeptBundle): Promise<void> {
    const { store } = this.#options;
    const key = prefix + this.spec.trustDomain;
    const entry = await store.get(key);
    const there = entry === undefined ? undefined : readKept(this.spec.trustDomain, entry.value);
    const mine = foreignBundle(this.spec.trustDomain, kept);
    const older =
      there !== undefined && typeof mine !== 'string' && there.kept.seed === kept.seed && successionFault(there.bundle, mine.bundle);
    if (older !== false && older !== undefined) return;
    await store.txn({
      if: [{ key, modRevision: entry?.modRevision ?? 0 }],
      then: [{ op: 'put', key, value: Buffer.from(JSON.stringify(kept)) }],
    });
  }

  async #read(path: string): Promise<string | undefined> {
    try {
      return await readFile(path, 'utf8');
    } catch (error) {
      this.#fail(toMeshError(error, 'CONFIG_INVALID', `bundleFile ${path}`));
      return undefined;
    }
  }

  #fail(error: MeshError): void {
    this.#failures += 1;
    this.#error = error.message;
    this.#options.onRefused(error, this.spec.trustDomain);
  }
}
