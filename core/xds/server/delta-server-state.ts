import * as discovery from '../gen/envoy/service/discovery/v3/discovery.ts';
import type { ChangedNames, ResourceSet } from '../resource-source.ts';
import type { RequestOutcome, ServerState } from './server-state.ts';
import { type Batch, TypeSubscription } from './type-subscription.ts';

export interface DeltaServerLimits {
  /** Names one client may subscribe to, over all types. */
  readonly subscriptions: number;
  readonly nameLength: number;
  readonly types: number;
  /** About the size of one response; a single larger resource goes alone. */
  readonly responseBytes: number;
}

export const defaultDeltaLimits: DeltaServerLimits = { subscriptions: 50_000, nameLength: 1024, types: 32, responseBytes: 1024 * 1024 };

/**
 * The server's side of delta xDS for one stream, without streams, clocks or I/O. Make before break: additions and changes go
 * by `order`, a type waiting for those before it; removals come after all additions were sent and answered, in reverse. An
 * answer that never comes stops only this client.
 */
export class DeltaServerState implements ServerState<discovery.DeltaDiscoveryRequest, discovery.DeltaDiscoveryResponse> {
  readonly #order: readonly string[];
  readonly #limits: DeltaServerLimits;
  readonly #types = new Map<string, TypeSubscription>();
  #nonce = 0;

  constructor(order: readonly string[], limits: DeltaServerLimits = defaultDeltaLimits) {
    this.#order = order;
    this.#limits = limits;
  }

  request(request: discovery.DeltaDiscoveryRequest): RequestOutcome {
    const fault = this.#faultOf(request);
    if (fault !== undefined) return { kind: 'refused', reason: fault };
    const type = this.#types.get(request.typeUrl) ?? this.#open(request.typeUrl);
    const answered = request.responseNonce === '' || type.settle(request.responseNonce, request.errorDetail);
    type.subscribe(request);
    if (this.subscribed() > this.#limits.subscriptions) {
      return { kind: 'refused', reason: `more than ${this.#limits.subscriptions} subscriptions` };
    }
    if (!answered) return { kind: 'stale-nonce' };
    if (request.errorDetail !== undefined) return { kind: 'nacked', message: request.errorDetail.message.slice(0, 4096) };
    return { kind: request.responseNonce === '' ? 'subscribed' : 'acked' };
  }

  changed(changes: readonly ChangedNames[] | undefined): boolean {
    let concerns = false;
    if (changes === undefined) for (const type of this.#types.values()) concerns = type.changed(undefined) || concerns;
    else for (const { typeUrl, names } of changes) concerns = this.#types.get(typeUrl)?.changed(names) === true || concerns;
    return concerns;
  }

  next(resources: ResourceSet): discovery.DeltaDiscoveryResponse | undefined {
    const types = this.#ordered();
    let waiting = false;
    for (const type of types) {
      const current = resources.get(type.typeUrl);
      if (current === undefined) continue;
      if (!type.sift(current)) {
        waiting ||= type.inFlight !== undefined;
        continue;
      }
      // Those behind it may refer to what could not be sent yet.
      if (type.inFlight !== undefined) return undefined;
      return this.#respond(type, type.takeAdditions(current, this.#limits.responseBytes));
    }
    if (waiting) return undefined;
    const last = types.reverse().find((type) => type.removals > 0);
    return last === undefined ? undefined : this.#respond(last, last.takeRemovals(10_000));
  }

  caughtUp(resources: ResourceSet): boolean {
    return [...this.#types.values()].every((type) => {
      const current = resources.get(type.typeUrl);
      if (current === undefined) return !this.#order.includes(type.typeUrl);
      return !type.sift(current) && type.removals === 0 && type.inFlight === undefined;
    });
  }

  subscribed(): number {
    let total = 0;
    for (const type of this.#types.values()) total += type.subscribed;
    return total;
  }

  awaitsAnswer(): boolean {
    return [...this.#types.values()].some((type) => type.inFlight !== undefined);
  }

  types(): Iterable<TypeSubscription> {
    return this.#types.values();
  }

  #open(typeUrl: string): TypeSubscription {
    const type = new TypeSubscription(typeUrl);
    this.#types.set(typeUrl, type);
    return type;
  }

  #ordered(): TypeSubscription[] {
    const rank = (type: TypeSubscription) => {
      const index = this.#order.indexOf(type.typeUrl);
      return index < 0 ? this.#order.length : index;
    };
    return [...this.#types.values()].sort((a, b) => rank(a) - rank(b));
  }

  #respond(type: TypeSubscription, batch: Batch): discovery.DeltaDiscoveryResponse {
    this.#nonce += 1;
    const nonce = this.#nonce.toString(36);
    type.sent(nonce, batch);
    const { typeUrl } = type;
    return discovery.DeltaDiscoveryResponse.create({
      typeUrl,
      nonce,
      resources: batch.resources.map(({ name, version, value }) => ({ name, version, resource: { typeUrl, value: asBuffer(value) } })),
      removedResources: [...batch.removed],
    });
  }

  #faultOf(request: discovery.DeltaDiscoveryRequest): string | undefined {
    const { typeUrl, resourceNamesSubscribe: names, resourceNamesUnsubscribe: dropped } = request;
    if (typeUrl === '') return 'a request without a type URL';
    if (typeUrl.length > 256) return 'a type URL that is too long';
    if (!this.#types.has(typeUrl) && this.#types.size >= this.#limits.types) return `more than ${this.#limits.types} resource types`;
    const known = Object.keys(request.initialResourceVersions);
    if (names.length + known.length > 2 * this.#limits.subscriptions) return `more than ${this.#limits.subscriptions} names in one request`;
    for (const list of [names, dropped, known]) {
      if (list.some((name) => name.length > this.#limits.nameLength)) return `a resource name longer than ${this.#limits.nameLength}`;
      if (list.includes('')) return 'an empty resource name';
    }
    return undefined;
  }
}

/** A view, not a copy: the bytes are shared by every client. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
