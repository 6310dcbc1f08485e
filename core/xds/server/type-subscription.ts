import type { Status } from '../gen/google/rpc/status.ts';
import type { EncodedResource } from '../resource-source.ts';
import type { TypeRule } from '../type-urls.ts';
import { faultOf, type Unsendable } from './encoding-fault.ts';
import { HeldSet } from './held-set.ts';
import { judgeResponse, type Verdict } from './judge-nack.ts';
import type { Batch, InFlight, Quarantined, Resources, SubscriptionChange } from './subscription-types.ts';

/**
 * One client's subscription to one resource type: what it asked for, what it certainly holds, what it refused. Pure: names
 * that may have to be sent are kept, never contents, so that a slow client gets the latest version and costs no more.
 */
export class TypeSubscription {
  readonly typeUrl: string;
  readonly rule: TypeRule;
  #wildcard = false;
  #opened = false;
  readonly #names = new Set<string>();
  /** Name → version that the client has acknowledged, or brought along from an earlier stream. */
  readonly #acked = new Map<string, string>();
  readonly #held: HeldSet | undefined;
  readonly #quarantined = new Map<string, Quarantined>();
  /** To be looked at. */
  readonly #dirty = new Set<string>();
  #allDirty = false;
  /** Asked for again: answered whatever version is known, also with "there is none". */
  readonly #forced = new Set<string>();
  /** Of a response refused whole without saying why: sent again one by one, so that the good ones get through. */
  readonly #alone = new Set<string>();
  readonly #toSend = new Set<string>();
  readonly #toRemove = new Set<string>();
  /** A response is due, with or without anything in it. */
  #owes = false;
  #inFlight: InFlight | undefined;
  readonly unsendable: Unsendable[] = [];

  constructor(rule: TypeRule, held?: HeldSet) {
    this.rule = rule;
    this.typeUrl = rule.typeUrl;
    this.#held = held;
  }

  /** Every response must hold all there is: what it omits is deleted. */
  get whole(): boolean {
    return this.#held !== undefined;
  }

  get subscribed(): number {
    return this.#names.size + (this.#wildcard ? 1 : 0);
  }

  get names(): ReadonlySet<string> {
    return this.#names;
  }

  get wildcard(): boolean {
    return this.#wildcard;
  }

  get acked(): ReadonlyMap<string, string> {
    return this.#acked;
  }

  get quarantined(): ReadonlyMap<string, Quarantined> {
    return this.#quarantined;
  }

  get inFlight(): string | undefined {
    return this.#inFlight?.nonce;
  }

  subscribe({ added, dropped, known = {} }: SubscriptionChange): void {
    const first = !this.#opened;
    this.#opened = true;
    if (first && added.length === 0 && this.rule.namedOnly !== true) this.#startWildcard();
    for (const name of added) {
      if (name === '*') {
        this.#startWildcard();
        continue;
      }
      this.#names.add(name);
      this.#dirty.add(name);
      if (!first || !Object.hasOwn(known, name)) this.#forced.add(name);
    }
    for (const name of dropped) this.#unsubscribe(name);
    for (const [name, version] of first ? Object.entries(known) : []) {
      if (!this.#covers(name)) continue;
      this.#acked.set(name, version);
      this.#dirty.add(name);
    }
  }

  /** These are sent once more, whatever the client holds; without names all it asked for. False: it asked for none of them. */
  again(names: Iterable<string> = this.#wildcard ? this.#acked.keys() : this.#names): boolean {
    let any = false;
    for (const name of names) {
      if (!this.#covers(name)) continue;
      this.#forced.add(name);
      this.#dirty.add(name);
      any = true;
    }
    return any;
  }

  /** The client holds exactly these, all there are: it has proven it. Before anything was sent. */
  assume(resources: Resources): void {
    for (const resource of resources.values()) {
      this.#acked.set(resource.name, resource.version);
      this.#held?.take(resource);
    }
    this.#held?.rebase();
    this.#forced.clear();
    this.#owes = false;
    this.#allDirty = true;
  }

  /** The ACK or NACK part. False for a nonce that is not the outstanding one: it changes nothing. */
  settle(nonce: string, error: Status | undefined): boolean {
    const flight = this.#inFlight;
    if (flight === undefined || flight.nonce !== nonce) return false;
    this.#inFlight = undefined;
    for (const name of flight.removed) {
      for (const names of [this.#acked, this.#quarantined, this.#held]) names?.delete(name);
      this.#dirty.add(name);
    }
    const verdict = error === undefined ? undefined : this.#judge(error, flight);
    for (const resource of flight.offered.values()) if (this.#covers(resource.name)) this.#settleOne(resource, verdict);
    // The client may have stopped before these.
    if (verdict !== undefined && verdict.rest !== 'taken' && flight.offered.size > 0 && !this.whole) this.again(flight.removed);
    // What it has after all gets a version that it can take, and name when it comes again.
    if (this.#held?.certain === true && verdict !== undefined && verdict.refused.size > 0) this.#owes = true;
    if (verdict === undefined || verdict.rest === 'taken') this.#held?.rebase();
    return true;
  }

  /** Names that appeared, changed or went; undefined: any may have. False: none of them was asked for. */
  changed(names: readonly string[] | undefined): boolean {
    if (names === undefined) this.#allDirty = true;
    else for (const name of names) if (this.#covers(name)) this.#dirty.add(name);
    return this.#allDirty || this.#dirty.size > 0;
  }

  /** Sorts what may have to be sent; true when there is something to add, change or answer. */
  sift(resources: Resources): boolean {
    if (this.#allDirty) {
      this.#allDirty = false;
      for (const name of this.#acked.keys()) this.#dirty.add(name);
      for (const name of this.#wildcard ? resources.keys() : this.#names) this.#dirty.add(name);
    }
    for (const name of this.#dirty) this.#classify(name, resources.get(name));
    this.#dirty.clear();
    return this.#toSend.size > 0 || this.#owes;
  }

  get removals(): number {
    return this.#toRemove.size;
  }

  /** The next response's additions, at most about `maxBytes` and at least one resource; after `sift`, with nothing in flight. */
  takeAdditions(resources: Resources, maxBytes: number): Batch {
    const batch: EncodedResource[] = [];
    const removed: string[] = [];
    let bytes = 0;
    for (const name of this.#toSend) {
      const resource = resources.get(name);
      // Asked for again though it was refused: it must not drag others along.
      const alone = this.#alone.has(name) || this.#isRefused(resource);
      if (resource !== undefined && this.#withheld(resource)) continue;
      const size = (resource?.value.length ?? 0) + 2 * name.length + 64;
      if (batch.length + removed.length > 0 && (alone || bytes + size > maxBytes)) break;
      this.#toSend.delete(name);
      this.#forced.delete(name);
      if (resource === undefined) removed.push(name);
      else batch.push(resource);
      bytes += size;
      if (alone) break;
    }
    this.#owes = false;
    return { resources: batch, removed };
  }

  takeRemovals(maxNames: number): Batch {
    const removed = [...this.#toRemove].slice(0, maxNames);
    for (const name of removed) this.#toRemove.delete(name);
    return { resources: [], removed };
  }

  /** The batch with all that its response must hold besides: [what is offered, everything]. Only where `whole`. */
  complete(batch: Batch, resources: Resources): readonly [Batch, readonly EncodedResource[]] {
    return (this.#held ?? new HeldSet(true)).complete(batch, resources);
  }

  sent(nonce: string, batch: Batch, listed: Iterable<string> = batch.resources.map((r) => r.name)): void {
    this.#inFlight = {
      nonce,
      offered: new Map(batch.resources.map((r) => [r.name, r])),
      removed: new Set(batch.removed),
      listed: [...listed],
    };
  }

  /** What cannot be encoded is as if the client had refused it: it stays on what it has. */
  #withheld(resource: EncodedResource): boolean {
    const reason = faultOf(resource);
    if (reason === undefined) return false;
    for (const names of [this.#toSend, this.#forced, this.#alone]) names.delete(resource.name);
    this.#quarantined.set(resource.name, { version: resource.version, reason, unsent: true });
    return this.unsendable.push({ name: resource.name, reason }) > 0;
  }

  #startWildcard(): void {
    this.#owes ||= !this.#wildcard;
    this.#wildcard = true;
    this.#allDirty = true;
  }

  #unsubscribe(name: string): void {
    if (name === '*') {
      this.#wildcard = false;
      this.#owes = false;
      this.#forgetUncovered();
    } else if (this.#names.delete(name)) {
      if (this.#wildcard) {
        // Still covered: say again whether there is one (xDS: unsubscribing from a name under a wildcard).
        this.#dirty.add(name);
        this.#forced.add(name);
      } else {
        for (const names of this.#everywhere()) names.delete(name);
      }
    }
  }

  #forgetUncovered(): void {
    for (const names of this.#everywhere()) for (const name of names.keys()) if (!this.#covers(name)) names.delete(name);
  }

  #everywhere(): readonly { keys(): Iterable<string>; delete(name: string): unknown }[] {
    const held = this.#held === undefined ? [] : [this.#held];
    return [this.#dirty, this.#forced, this.#alone, this.#toSend, this.#toRemove, this.#acked, this.#quarantined, ...held];
  }

  #covers(name: string): boolean {
    return this.#wildcard || this.#names.has(name);
  }

  #classify(name: string, resource: EncodedResource | undefined): void {
    this.#toSend.delete(name);
    this.#toRemove.delete(name);
    if (!this.#covers(name)) return;
    const forced = this.#forced.has(name);
    if (resource === undefined) {
      const held = this.#acked.has(name) || this.#held?.isUnsure(name) === true;
      // Asked for, refused, and now gone: who waits for it is told so, unless something held may still refer to it.
      const awaited = this.#quarantined.has(name) && this.#names.has(name) && (!held || this.rule.refersToNothing === true);
      if (forced || awaited) this.#toSend.add(name);
      else if (held) this.#toRemove.add(name);
      if (!held || awaited) this.#quarantined.delete(name);
      return;
    }
    // Came back while its removal is on the way: what refers to it must wait until it is sent again.
    if (forced || this.#inFlight?.removed.has(name) === true) this.#toSend.add(name);
    else if (this.#acked.get(name) === resource.version) this.#quarantined.delete(name);
    else if (this.#quarantined.get(name)?.version !== resource.version && this.#inFlight?.offered.get(name)?.version !== resource.version) {
      this.#toSend.add(name);
    }
  }

  #isRefused(resource: EncodedResource | undefined): boolean {
    return resource !== undefined && this.#quarantined.get(resource.name)?.version === resource.version;
  }

  #judge(error: Status, flight: InFlight): Verdict {
    const fresh = [...flight.offered.values()].filter((r) => !this.#isRefused(r)).map((r) => r.name);
    return judgeResponse(error, flight, fresh, this.#held?.based !== false);
  }

  #settleOne(resource: EncodedResource, verdict: Verdict | undefined): void {
    const { name, version } = resource;
    const reason = verdict?.refused.get(name);
    // It may have changed, or gone, while it was on its way.
    this.#dirty.add(name);
    if (reason !== undefined) {
      this.#quarantined.set(name, { version, reason });
      this.#alone.delete(name);
      this.#held?.refuse(name, verdict?.guessed === true);
    } else if (verdict !== undefined && verdict.rest !== 'taken') {
      if (this.#isRefused(resource)) return;
      this.#forced.add(name);
      if (verdict.rest === 'alone') this.#alone.add(name);
    } else {
      this.#acked.set(name, version);
      this.#held?.take(resource);
      this.#alone.delete(name);
      this.#quarantined.delete(name);
    }
  }
}
