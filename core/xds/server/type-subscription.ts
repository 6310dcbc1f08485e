import type { ResourceRejection } from '../client-types.ts';
import type * as discovery from '../gen/envoy/service/discovery/v3/discovery.ts';
import { rejectionsOf } from '../rejections.ts';
import type { EncodedResource } from '../resource-source.ts';

type Resources = ReadonlyMap<string, EncodedResource>;

/** A response that waits for its ACK or NACK; at most one a type, which bounds what a client that never answers can hold. */
interface InFlight {
  readonly nonce: string;
  readonly versions: ReadonlyMap<string, string>;
  readonly removed: ReadonlySet<string>;
}

export interface Quarantined {
  readonly version: string;
  /** The client's own words. */
  readonly reason: string;
}

export interface Batch {
  readonly resources: readonly EncodedResource[];
  readonly removed: readonly string[];
}

/**
 * One client's subscription to one resource type: what it asked for, what it certainly holds, what it refused. Pure: names
 * that may have to be sent are kept, never contents, so that a slow client gets the latest version and costs no more.
 */
export class TypeSubscription {
  readonly typeUrl: string;
  #wildcard = false;
  #opened = false;
  readonly #names = new Set<string>();
  /** Name → version that the client has acknowledged, or brought along from an earlier stream. */
  readonly #acked = new Map<string, string>();
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
  #owesFirst = false;
  #inFlight: InFlight | undefined;

  constructor(typeUrl: string) {
    this.typeUrl = typeUrl;
  }

  get subscribed(): number {
    return this.#names.size + (this.#wildcard ? 1 : 0);
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

  /** The subscription part of a request. */
  subscribe(request: discovery.DeltaDiscoveryRequest): void {
    const first = !this.#opened;
    this.#opened = true;
    const known = first ? request.initialResourceVersions : {};
    const { resourceNamesSubscribe: added, resourceNamesUnsubscribe: dropped } = request;
    // Legacy wildcard: a first request that names nothing means everything.
    if (first && added.length === 0) this.#startWildcard();
    for (const name of added) {
      if (name === '*') {
        this.#startWildcard();
        continue;
      }
      this.#names.add(name);
      this.#dirty.add(name);
      if (!Object.hasOwn(known, name)) this.#forced.add(name);
    }
    for (const name of dropped) this.#unsubscribe(name);
    for (const [name, version] of Object.entries(known)) {
      if (!this.#covers(name)) continue;
      this.#acked.set(name, version);
      this.#dirty.add(name);
    }
  }

  /** The ACK or NACK part. False for a nonce that is not the outstanding one: it changes nothing. */
  settle(nonce: string, error: discovery.DeltaDiscoveryRequest['errorDetail']): boolean {
    const flight = this.#inFlight;
    if (flight === undefined || flight.nonce !== nonce) return false;
    this.#inFlight = undefined;
    const refused = error === undefined ? new Map<string, string>() : this.#refusedBy(error, flight);
    for (const name of flight.removed) {
      this.#acked.delete(name);
      this.#quarantined.delete(name);
      this.#dirty.add(name);
    }
    for (const [name, version] of flight.versions) {
      if (!this.#covers(name)) continue;
      // It may have changed, or gone, while it was on its way.
      this.#dirty.add(name);
      const reason = refused.get(name);
      if (reason !== undefined) {
        this.#quarantined.set(name, { version, reason });
      } else if (!this.#alone.has(name) || error === undefined) {
        this.#acked.set(name, version);
        this.#alone.delete(name);
        this.#quarantined.delete(name);
      }
    }
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
    return this.#toSend.size > 0 || this.#owesFirst;
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
      const alone = this.#alone.has(name);
      const size = (resource?.value.length ?? 0) + 2 * name.length + 64;
      if (batch.length + removed.length > 0 && (alone || bytes + size > maxBytes)) break;
      this.#toSend.delete(name);
      this.#forced.delete(name);
      if (resource === undefined) removed.push(name);
      else batch.push(resource);
      bytes += size;
      if (alone) break;
    }
    this.#owesFirst = false;
    return { resources: batch, removed };
  }

  takeRemovals(maxNames: number): Batch {
    const removed = [...this.#toRemove].slice(0, maxNames);
    for (const name of removed) this.#toRemove.delete(name);
    return { resources: [], removed };
  }

  sent(nonce: string, batch: Batch): void {
    this.#inFlight = { nonce, versions: new Map(batch.resources.map((r) => [r.name, r.version])), removed: new Set(batch.removed) };
  }

  #startWildcard(): void {
    this.#owesFirst ||= !this.#wildcard;
    this.#wildcard = true;
    this.#allDirty = true;
  }

  #unsubscribe(name: string): void {
    if (name === '*') {
      this.#wildcard = false;
      this.#owesFirst = false;
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

  #everywhere(): readonly { keys(): Iterable<string>; delete(name: string): boolean }[] {
    return [this.#dirty, this.#forced, this.#alone, this.#toSend, this.#toRemove, this.#acked, this.#quarantined];
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
      if (forced) this.#toSend.add(name);
      else if (this.#acked.has(name)) this.#toRemove.add(name);
      else this.#quarantined.delete(name);
      return;
    }
    // Came back while its removal is on the way: what refers to it must wait until it is sent again.
    if (forced || this.#inFlight?.removed.has(name) === true) this.#toSend.add(name);
    else if (this.#acked.get(name) === resource.version) this.#quarantined.delete(name);
    else if (this.#quarantined.get(name)?.version !== resource.version && this.#inFlight?.versions.get(name) !== resource.version) {
      this.#toSend.add(name);
    }
  }

  /** Which resources of the flight the client refused; the rest of them it took, unless they are to be tried alone. */
  #refusedBy(error: NonNullable<discovery.DeltaDiscoveryRequest['errorDetail']>, flight: InFlight): ReadonlyMap<string, string> {
    const listed: readonly ResourceRejection[] = rejectionsOf(error)?.filter((r) => flight.versions.has(r.name)) ?? [];
    if (listed.length > 0) {
      for (const name of flight.versions.keys()) this.#alone.delete(name);
      return new Map(listed.map((r) => [r.name, r.reason]));
    }
    const [only] = flight.versions.keys();
    if (flight.versions.size === 1 && only !== undefined) {
      this.#alone.delete(only);
      return new Map([[only, error.message.slice(0, 512)]]);
    }
    for (const name of flight.versions.keys()) this.#alone.add(name);
    return new Map();
  }
}
