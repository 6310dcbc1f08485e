import type { HeldResource, ResourceRejection, SavedResource, XdsUpdate } from './client-types.ts';
import { DeltaDiscoveryRequest, type DeltaDiscoveryResponse } from './gen/envoy/service/discovery/v3/discovery.ts';
import type { Any } from './gen/google/protobuf/any.ts';
import { nackStatus } from './rejections.ts';

interface TypeState {
  readonly typeUrl: string;
  wildcard: boolean;
  readonly names: Set<string>;
  readonly held: Map<string, HeldResource>;
  /** Offered and refused; what was held before stays. */
  readonly rejected: Map<string, { readonly version: string; readonly reason: string }>;
  /** Asked for by name; the server says there is none. */
  readonly absent: Set<string>;
  /** The first request of this type was sent on this stream. */
  opened: boolean;
}

/** One response taken apart, before the application has judged it. */
export interface Received {
  readonly nonce: string;
  readonly update: XdsUpdate;
  /** What is wrong without asking the application. */
  readonly malformed: readonly ResourceRejection[];
}

/**
 * The client's side of delta xDS (xDS transport protocol, incremental variant) without streams, clocks or I/O: what comes
 * back are the requests to send, in order. The same inputs always give the same outputs.
 */
export class DeltaClientState {
  readonly #types = new Map<string, TypeState>();
  #streaming = false;

  /** The request to send now; undefined when nothing changed or no stream is open. */
  subscribe(typeUrl: string, names: '*' | readonly string[]): DeltaDiscoveryRequest | undefined {
    const type = this.#type(typeUrl);
    const added: string[] = [];
    if (names === '*') {
      if (!type.wildcard) added.push('*');
      type.wildcard = true;
    } else {
      for (const name of names) {
        if (type.names.has(name)) continue;
        type.names.add(name);
        added.push(name);
      }
    }
    if (!this.#streaming || added.length === 0) return undefined;
    return type.opened ? DeltaDiscoveryRequest.create({ typeUrl, resourceNamesSubscribe: added }) : this.#open(type);
  }

  unsubscribe(typeUrl: string, names: '*' | readonly string[]): DeltaDiscoveryRequest | undefined {
    const type = this.#types.get(typeUrl);
    if (type === undefined) return undefined;
    const gone = names === '*' ? (type.wildcard ? ['*'] : []) : names.filter((name) => type.names.delete(name));
    if (names === '*') type.wildcard = false;
    this.#forgetUncovered(type);
    if (!this.#streaming || !type.opened || gone.length === 0) return undefined;
    return DeltaDiscoveryRequest.create({ typeUrl, resourceNamesUnsubscribe: [...gone] });
  }

  /** The first requests of a new stream, one a type, with the versions held: the server sends what differs. */
  streamOpened(): DeltaDiscoveryRequest[] {
    this.streamLost();
    this.#streaming = true;
    // A type without any subscription must stay silent: an empty first request means everything (legacy wildcard).
    return [...this.#types.values()].filter((t) => t.wildcard || t.names.size > 0).map((t) => this.#open(t));
  }

  streamLost(): void {
    this.#streaming = false;
    for (const type of this.#types.values()) type.opened = false;
  }

  /** Takes a response apart. Until `settle` nothing counts as held. */
  receive(response: DeltaDiscoveryResponse): Received {
    const { typeUrl, nonce } = response;
    const type = this.#types.get(typeUrl);
    if (type === undefined || !type.opened) {
      return {
        nonce,
        update: { typeUrl, changed: [], removed: [] },
        malformed: [{ name: '', reason: `${typeUrl || 'no type'} was not asked for` }],
      };
    }
    const changed = new Map<string, HeldResource>();
    const malformed: ResourceRejection[] = [];
    for (const { name, version, resource } of response.resources) {
      const fault = faultOf(name, resource, typeUrl) ?? (changed.has(name) ? 'named twice in one response' : undefined);
      if (fault !== undefined) malformed.push({ name, reason: fault });
      else if (resource !== undefined && covers(type, name)) changed.set(name, { name, version, any: resource });
    }
    const removed = response.removedResources.filter((name) => !changed.has(name) && (type.held.has(name) || type.names.has(name)));
    return { nonce, update: { typeUrl, changed: [...changed.values()], removed: [...new Set(removed)] }, malformed };
  }

  /** Commits what `rejections` does not name and gives the ACK or NACK to send. */
  settle(received: Received, rejections: readonly ResourceRejection[]): DeltaDiscoveryRequest {
    const { update, nonce } = received;
    const type = this.#types.get(update.typeUrl);
    const refused = new Map([...received.malformed, ...rejections].map((r) => [r.name, r.reason]));
    for (const name of type === undefined ? [] : update.removed) {
      type?.held.delete(name);
      type?.rejected.delete(name);
      if (type?.names.has(name)) type.absent.add(name);
    }
    for (const resource of update.changed) {
      const reason = refused.get(resource.name);
      if (type === undefined || !covers(type, resource.name)) continue;
      type.absent.delete(resource.name);
      if (reason !== undefined) {
        type.rejected.set(resource.name, { version: resource.version, reason });
        continue;
      }
      type.held.set(resource.name, resource);
      type.rejected.delete(resource.name);
    }
    const base = { typeUrl: update.typeUrl, responseNonce: nonce };
    if (refused.size === 0) return DeltaDiscoveryRequest.create(base);
    return DeltaDiscoveryRequest.create({ ...base, errorDetail: nackStatus([...refused].map(([name, reason]) => ({ name, reason }))) });
  }

  resources(typeUrl: string): ReadonlyMap<string, HeldResource> {
    return this.#types.get(typeUrl)?.held ?? new Map();
  }

  rejected(typeUrl: string): ReadonlyMap<string, { readonly version: string; readonly reason: string }> {
    return this.#types.get(typeUrl)?.rejected ?? new Map();
  }

  /** True once the server has said that this name, asked for by name, does not exist. */
  isAbsent(typeUrl: string, name: string): boolean {
    return this.#types.get(typeUrl)?.absent.has(name) ?? false;
  }

  typeUrls(): readonly string[] {
    return [...this.#types.keys()];
  }

  snapshot(): SavedResource[] {
    return [...this.#types.values()].flatMap((type) =>
      [...type.held.values()].map((r) => ({ typeUrl: type.typeUrl, name: r.name, version: r.version, value: r.any.value })),
    );
  }

  /** Before the first stream. What no subscription covers when the stream opens is dropped then. */
  restore(resources: readonly SavedResource[]): void {
    for (const { typeUrl, name, version, value } of resources) {
      this.#type(typeUrl).held.set(name, { name, version, any: { typeUrl, value: Buffer.from(value) } });
    }
  }

  #type(typeUrl: string): TypeState {
    let type = this.#types.get(typeUrl);
    if (type === undefined) {
      type = { typeUrl, wildcard: false, names: new Set(), held: new Map(), rejected: new Map(), absent: new Set(), opened: false };
      this.#types.set(typeUrl, type);
    }
    return type;
  }

  #open(type: TypeState): DeltaDiscoveryRequest {
    type.opened = true;
    this.#forgetUncovered(type);
    return DeltaDiscoveryRequest.create({
      typeUrl: type.typeUrl,
      resourceNamesSubscribe: [...(type.wildcard ? ['*'] : []), ...type.names],
      initialResourceVersions: Object.fromEntries([...type.held].map(([name, r]) => [name, r.version])),
    });
  }

  #forgetUncovered(type: TypeState): void {
    for (const map of [type.held, type.rejected, type.absent]) {
      for (const name of map.keys()) if (!covers(type, name)) map.delete(name);
    }
  }
}

function covers(type: TypeState, name: string): boolean {
  return type.wildcard || type.names.has(name);
}

function faultOf(name: string, resource: Any | undefined, typeUrl: string): string | undefined {
  if (name === '' || name === '*') return 'not a resource name';
  if (resource === undefined) return 'no resource in it';
  return resource.typeUrl === typeUrl ? undefined : `holds a ${resource.typeUrl}, not a ${typeUrl}`;
}
