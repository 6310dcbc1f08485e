import type { DeltaDiscoveryRequest, DeltaDiscoveryResponse } from '../gen/envoy/service/discovery/v3/discovery.ts';
import type { ChangedNames, ResourceSet } from '../resource-source.ts';
import { defaultRequestLimits, faultOf, type RequestLimits } from './limits.ts';
import { OrderedTypes, type Outgoing } from './ordered-types.ts';
import type { RequestOutcome, ServerState } from './server-state.ts';
import type { TypeSubscription } from './type-subscription.ts';

const removalsPerResponse = 10_000;

/** The server's side of delta xDS for one stream, without streams, clocks or I/O. */
export class DeltaServerState implements ServerState<DeltaDiscoveryRequest, DeltaDiscoveryResponse> {
  readonly #limits: RequestLimits;
  readonly #types: OrderedTypes;
  readonly #stream: string;
  #nonce = 0;

  /** `stream` tells this stream's nonces from those of others. */
  constructor(order: readonly string[], limits: RequestLimits = defaultRequestLimits, stream = '') {
    this.#types = new OrderedTypes(order, false);
    this.#limits = limits;
    this.#stream = stream;
  }

  request(request: DeltaDiscoveryRequest): RequestOutcome {
    const { typeUrl, responseNonce: nonce, errorDetail: error, initialResourceVersions: known } = request;
    const { resourceNamesSubscribe: added, resourceNamesUnsubscribe: dropped } = request;
    const fault = faultOf(typeUrl, [added, dropped, Object.keys(known)], this.#types.byUrl, this.#limits);
    if (fault !== undefined) return { kind: 'refused', reason: fault };
    const type = this.#types.byUrl.get(typeUrl) ?? this.#types.open(typeUrl);
    const answered = nonce === '' || type.settle(nonce, error);
    type.subscribe({ added, dropped, known });
    if (this.subscribed() > this.#limits.subscriptions) {
      return { kind: 'refused', reason: `more than ${this.#limits.subscriptions} subscriptions` };
    }
    if (!answered) return { kind: 'stale-nonce' };
    if (error !== undefined) return { kind: 'nacked', message: error.message.slice(0, 4096) };
    return { kind: nonce === '' ? 'subscribed' : 'acked' };
  }

  changed(changes: readonly ChangedNames[] | undefined): boolean {
    return this.#types.changed(changes);
  }

  next(resources: ResourceSet): DeltaDiscoveryResponse | undefined {
    const outgoing = this.#types.next(resources, { bytes: this.#limits.responseBytes, removals: removalsPerResponse });
    return outgoing === undefined ? undefined : this.#respond(outgoing);
  }

  caughtUp(resources: ResourceSet): boolean {
    return this.#types.caughtUp(resources);
  }

  subscribed(): number {
    return this.#types.subscribed();
  }

  types(): Iterable<TypeSubscription> {
    return this.#types.all;
  }

  #respond({ type, batch }: Outgoing): DeltaDiscoveryResponse {
    this.#nonce += 1;
    const nonce = `${this.#stream}${this.#nonce.toString(36)}`;
    type.sent(nonce, batch);
    const { typeUrl } = type;
    return {
      typeUrl,
      nonce,
      systemVersionInfo: '',
      resources: batch.resources.map(({ name, version, value }) => ({
        name,
        version,
        resource: { typeUrl, value: asBuffer(value) },
        resourceName: undefined,
        aliases: [],
        ttl: undefined,
        cacheControl: undefined,
        metadata: undefined,
      })),
      removedResources: [...batch.removed],
      removedResourceNames: [],
      controlPlane: undefined,
    };
  }
}

/** A view, not a copy: the bytes are shared by every client. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
