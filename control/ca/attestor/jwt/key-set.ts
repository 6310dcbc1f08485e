import { createLocalJWKSet, type JSONWebKeySet } from 'jose';
import type { Clock } from '../../../../core/clock.ts';
import { toMeshError } from '../../../../core/errors.ts';
import type { Log } from '../../../../core/log.ts';
import { sha256Hex } from '../../../../core/pki/index.ts';
import type { Store } from '../../../../core/store.ts';
import { getRecord, putRecord } from '../../record.ts';
import { parseKeySet } from './parse-key-set.ts';

/** Keys are fetched again when they are this old and asked for. */
const freshMs = 10 * 60_000;
/** No issuer is asked more often, whatever strangers send. */
const pauseMs = 10_000;

export interface KeySetOptions {
  /** Names the issuer, in the store and in logs. */
  readonly issuer: string;
  /** The JWK Set as the issuer says it now; rejects with an Error that says what to check. */
  readonly fetch: () => Promise<unknown>;
  /** How long keys are good for that could not be fetched again; ms. */
  readonly keepMs: number;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

export type KeyFinder = ReturnType<typeof createLocalJWKSet>;

interface Known {
  readonly json: JSONWebKeySet;
  readonly find: KeyFinder;
  /** Unix ms. */
  readonly fetchedAt: number;
}

/**
 * The keys of one issuer: fetched when they are asked for and old, kept in the store as well, so that neither an outage of the issuer nor a restart
 * during it turns anybody away.
 */
export class KeySet {
  readonly #options: KeySetOptions;
  #known: Known | undefined;
  #read = false;
  /** On the monotonic clock. */
  #askedAt: number | undefined;
  #asking: Promise<void> | undefined;
  #fault = 'it was not asked yet';

  constructor(options: KeySetOptions) {
    this.#options = options;
  }

  /** Why there are none, for logs. */
  get fault(): string {
    return this.#fault;
  }

  /** Undefined: none are known that still count, and the issuer does not say any. `newer`: a key was wanted that is not among them. */
  async keys(newer = false): Promise<KeyFinder | undefined> {
    await this.#readStored();
    const { clock, keepMs } = this.#options;
    const age = () => clock.now() - (this.#known?.fetchedAt ?? Number.NEGATIVE_INFINITY);
    if (newer || age() >= freshMs) await this.#ask();
    return age() < keepMs ? this.#known?.find : undefined;
  }

  async #readStored(): Promise<void> {
    if (this.#read) return;
    const record = await getRecord<{ json: JSONWebKeySet; fetchedAt: number }>(this.#options.store, this.#key);
    this.#read = true;
    if (record === undefined || this.#known !== undefined) return;
    const { json, fetchedAt } = record.value;
    this.#known = { json, find: createLocalJWKSet(json), fetchedAt };
  }

  async #ask(): Promise<void> {
    const now = this.#options.clock.monotonic();
    if (this.#asking === undefined) {
      if (this.#askedAt !== undefined && now - this.#askedAt < pauseMs) return;
      this.#askedAt = now;
      this.#asking = this.#fetch().finally(() => {
        this.#asking = undefined;
      });
    }
    await this.#asking;
  }

  async #fetch(): Promise<void> {
    const { issuer, store, clock, log } = this.#options;
    try {
      const json = parseKeySet(await this.#options.fetch());
      if (json === undefined) throw new Error('what it says holds no public keys');
      const changed = JSON.stringify(json) !== JSON.stringify(this.#known?.json);
      this.#known = { json, find: createLocalJWKSet(json), fetchedAt: clock.now() };
      await store.txn({ if: [], then: [putRecord(this.#key, { json, fetchedAt: this.#known.fetchedAt })] });
      if (changed) log.info({ issuer, keys: json.keys.map((key) => key.kid) }, 'the keys of an issuer are known');
    } catch (error) {
      this.#fault = toMeshError(error).message;
      const keys = this.#known === undefined ? 'none are known' : 'those known before count on';
      log.warn({ issuer, error: this.#fault }, `the keys of an issuer could not be fetched: ${keys}`);
    }
  }

  get #key(): string {
    return `ca/issuer-keys/${sha256Hex(this.#options.issuer)}`;
  }
}
