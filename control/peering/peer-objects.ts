import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { peeringTypeUrls as urls } from '../../core/xds/index.ts';
import type { ParseDocument } from '../objects/index.ts';
import type { ReceivedObject, ReceivedTentative } from './decode-objects.ts';
import { type Held, heldObject } from './held-object.ts';
import { changesToKeep, type InForce, inForceAt, nextDeadline, nothing, sameObjects } from './in-force.ts';
import type { KeptChange, KeptObjects } from './object-records.ts';
import { OfferedObjects } from './offered-objects.ts';
import { PeerClock } from './peer-clock.ts';
import { PeerWords } from './peer-words.ts';
import { PublishedObjects, type PublishedObjectsOptions } from './published-objects.ts';
import { restoreObjects } from './restore-objects.ts';
import { type HeldSet, objectVersion } from './shared-objects.ts';

/** Of when they were last known to be all, on disk. */
const keepKnownMs = 60_000;
/** Of how far the peer's clock is ahead. */
const keepLeadMs = 1_000;

export interface PeerObjectsOptions extends PublishedObjectsOptions {
  readonly parse: ParseDocument;
  readonly clock: Clock;
  readonly log: Log;
  /** To be kept over restarts, in this order. */
  readonly keep: (change: KeptChange) => void;
  /** What is held, or what the peer says of any owner, has changed. */
  readonly onChange: () => void;
}

/**
 * The objects that one peer owns and shares. What a new stream brings is put in the place of what was held at once, at its SyncMark;
 * from there on each change counts at once. A peer that is silent, or of a version that shares no objects, changes nothing, but for what it
 * had not confirmed: that goes back at its deadline.
 */
export class PeerObjects {
  readonly #options: PeerObjectsOptions;
  readonly #offered = new OfferedObjects();
  readonly #published: PublishedObjects;
  readonly #clock: PeerClock;
  /** Published, and kept. */
  #force: InForce = nothing;
  /** What the peer says of anybody's objects. */
  readonly words = new PeerWords();
  /** The peer's last word on its own, as of what is held. */
  #revision = 0;
  #told: HeldSet | undefined;
  #known = false;
  /** When what is in force was last known to be all that there is. */
  #knownAt: number | undefined;
  #knownKept = 0;
  #leadKept: number | undefined;
  #current = false;
  #dirty = false;

  constructor(options: PeerObjectsOptions) {
    this.#options = options;
    this.#published = new PublishedObjects(options);
    this.#clock = new PeerClock(options.clock);
  }

  /** What an earlier process kept; before the first stream. What cannot be read any more is left out, and what had to go back is back. */
  restore(kept: KeptObjects): void {
    const { cluster, parse } = this.#options;
    if (kept.lead !== undefined) this.#clock.restore(kept.lead);
    this.#leadKept = kept.lead;
    this.#force = restoreObjects(kept, cluster, parse);
    this.#known = kept.objects.size > 0 || kept.waiting.size > 0;
    this.#knownAt = kept.knownAt;
    this.#goBack();
    this.#publish();
  }

  opened(fresh: boolean): void {
    this.#current = false;
    if (!fresh) return;
    this.#offered.clear();
    this.words.clear();
    this.#dirty = true;
  }

  lost(): void {
    this.#current = false;
    this.#options.onChange();
  }

  /** Nothing goes back by itself any more: this process ends, or the peer is one no longer. */
  end(): void {
    this.#clock.end();
  }

  /** What is returned was not taken. */
  take(name: string, object: ReceivedObject, bytes: Uint8Array): readonly string[] {
    // The response's buffer would stay for as long as the object does.
    return this.#changed(this.#offered.put(name, this.#made(name, object, Uint8Array.from(bytes))));
  }

  takeTentative(name: string, { version, confirmBy, fallback }: ReceivedTentative): readonly string[] {
    const held = fallback && this.#made(name, fallback.object, fallback.bytes);
    return this.#changed(this.#offered.putUnconfirmed(name, { version, confirmBy, fallback: held }));
  }

  remove(typeUrl: string, name: string): void {
    this.words.remove(typeUrl, name);
    if (typeUrl === urls.sharedObject && this.#offered.remove(name)) this.#dirty = true;
    if (typeUrl === urls.tentativeObject && this.#offered.removeUnconfirmed(name)) this.#dirty = true;
  }

  /** The peer is there, and it is `now` there (Unix ms); 0: it is of a version that tells neither that nor what it has not confirmed. */
  heard(now: number): void {
    if (now > 0) this.#clock.heard(now);
    else if (this.#offered.forgetUnconfirmed()) {
      this.#dirty = true;
      this.settle();
    }
    if (this.#force.waiting.size === 0) return;
    this.#keepLead();
    this.#wake();
  }

  /** Still everything: nothing has come since that is not here. */
  confirmed(): void {
    if (this.#current && !this.#dirty && this.#known) this.#knownNow();
  }

  /** Everything that the peer had to say is here. */
  synced(): void {
    this.#current = true;
    this.settle();
  }

  /** After an update: puts what was offered into force. */
  settle(): void {
    const own = this.words.states.get(this.#options.cluster);
    let changed = this.words.takeChanged();
    if (this.#current && own !== undefined && (this.#dirty || own.revision !== this.#revision || !this.#known)) {
      if (this.#dirty) this.#offered.settleAges(this.#force, this.#knownAt);
      this.#revision = own.revision;
      this.#known = true;
      this.#dirty = false;
      this.#told = undefined;
      this.#put(inForceAt(this.#offered.objects, this.#offered.unconfirmed, this.#clock.now()));
      this.#knownNow();
      changed = true;
    }
    if (changed) this.#options.onChange();
  }

  /** The namespaces that the peer may bring have changed. */
  reconsider(): void {
    this.#publish();
    this.#options.onChange();
  }

  /** The peer is one no longer. */
  purge(): void {
    const { keep } = this.#options;
    this.end();
    this.#offered.clear();
    this.#known = false;
    this.#put(nothing);
    keep({ kind: 'known', at: undefined });
    keep({ kind: 'lead', by: undefined });
    this.#knownAt = undefined;
  }

  /** What is held here of the peer's; undefined: nothing is known. The same object for as long as it says the same. */
  holds(): HeldSet | undefined {
    if (!this.#known) return undefined;
    this.#told ??= this.#published.describe(this.#force.held, this.#revision);
    return this.#told;
  }

  /** `words` are as of now. */
  get current(): boolean {
    return this.#current;
  }

  /** What has waited for its owner's word until now, and did not hear it. */
  #goBack(): void {
    const { held, waiting } = this.#force;
    const after = inForceAt(held, waiting, this.#clock.now());
    const objects = [...waiting.keys()].filter((name) => !after.waiting.has(name));
    this.#put(after);
    if (objects.length === 0) return;
    const { log, cluster, onChange } = this.#options;
    log.warn(
      { peer: cluster, objects: objects.slice(0, 20), count: objects.length },
      'not confirmed in time, as far as is known: gone back',
    );
    onChange();
  }

  #put(after: InForce): void {
    const before = this.#force;
    if (after.waiting.size > 0) this.#keepLead();
    for (const change of changesToKeep(before, after)) this.#options.keep(change);
    this.#force = after;
    if (!sameObjects(before, after)) this.#publish();
    this.#wake();
  }

  #wake(): void {
    this.#clock.wake(nextDeadline(this.#force), () => this.#goBack());
  }

  #knownNow(): void {
    const now = this.#options.clock.now();
    this.#knownAt = now;
    if (now - this.#knownKept < keepKnownMs) return;
    this.#knownKept = now;
    this.#options.keep({ kind: 'known', at: now });
  }

  #keepLead(): void {
    const { lead } = this.#clock;
    if (this.#leadKept !== undefined && Math.abs(lead - this.#leadKept) < keepLeadMs) return;
    this.#leadKept = lead;
    this.#options.keep({ kind: 'lead', by: lead });
  }

  #publish(): void {
    this.#told = undefined;
    this.#published.publish(this.#force.held.values());
  }

  #changed(refused: readonly string[]): readonly string[] {
    if (refused.length === 0) this.#dirty = true;
    return refused;
  }

  /** The very same that is held already, or gone back to, where it is the same. */
  #made(name: string, object: ReceivedObject, bytes: Uint8Array): Held {
    const { held, waiting } = this.#force;
    const version = objectVersion(bytes);
    const known = [held.get(name), waiting.get(name)?.fallback].find((each) => each?.version === version);
    return known ?? heldObject(this.#options.cluster, this.#options.parse, name, object, bytes);
  }
}
