import type { AccessLogging } from '../../core/access-log/index.ts';
import type { ServiceKey, SpiffeId } from '../../core/model/index.ts';
import type { DialectName, EncodedResource, NodeClaims } from '../../core/xds/index.ts';
import type { ClientClass, Resource, ResourceKind, Snapshot } from './ir.ts';

/** Owner of what belongs to no service. No service key is without a slash. */
export const meshOwner = 'mesh';

/** A resource as one dialect says it. */
export interface DialectResource extends EncodedResource {
  readonly typeUrl: string;
}

/** What a dialect knows besides the resources. Equal for all clients of one class; a new object when any of it changed. */
export interface DialectContext {
  readonly client: ClientClass;
  readonly trustDomain: string;
  readonly hostSuffix: string;
  /** Of this control plane. */
  readonly cluster: string;
  /** Mesh clusters that clients of this class hold anchors for (proxyless gRPC), sorted; empty for other dialects. */
  readonly anchors: readonly string[];
  /** What clients of this class write into their access logs; undefined: everything. */
  readonly logging?: AccessLogging | undefined;
  /** Where gateways of this class listen (Envoy); undefined for other clients, and for proxies that know by themselves. */
  readonly listen?: { readonly address: string; readonly port: number; readonly originate: string };
}

/** Looks a resource of the class up, in the intermediate representation. */
export type FindResource = <K extends ResourceKind>(kind: K, name: string) => Resource<K> | undefined;

/**
 * How the intermediate representation goes over the wire. Pure: no clock, no network, no randomness; equal resources give
 * equal names, versions and bytes, whatever was there before. `value` may be made when it is first read.
 */
export interface Dialect {
  readonly name: DialectName;
  /** Every type it serves: one without resources is served as empty, and not as unknown. */
  readonly typeUrls: readonly string[];
  /** Types that are not narrowed to what a client may call: whoever enforces a policy has to know it. */
  readonly openTypes?: readonly string[];
  /** All that one owner (a service, or `meshOwner`) contributes; names are unique over all owners of a class. */
  translate(owner: ServiceKey | string, resources: readonly Resource[], context: DialectContext): readonly DialectResource[];
  /** What is made of all owners together, such as the one listener of an east-west gateway. */
  readonly gather?: {
    /** Made anew when a resource of these kinds appeared, changed or went. */
    readonly kinds: readonly ResourceKind[];
    build(snapshot: Snapshot, context: DialectContext): readonly DialectResource[];
  };
  /**
   * What one client alone gets, by its own claims: its inbound and explicit outbound listeners. `find` sees only what this
   * client may call or serves. Made anew when something that `find` was asked for changed. A name that the class has too is the client's.
   */
  personal?(claims: NodeClaims, find: FindResource, context: DialectContext, identity: SpiffeId): readonly DialectResource[];
}

/** Encodes on first use and keeps the bytes: every client that gets the resource shares them. */
export function lazyResource(typeUrl: string, name: string, version: string, encode: () => Uint8Array): DialectResource {
  return new LazyResource(typeUrl, name, version, encode);
}

/** A class, as literals with a getter each have a shape of their own, which is several times as large as what they hold. */
class LazyResource implements DialectResource {
  readonly typeUrl: string;
  readonly name: string;
  readonly version: string;
  /** Bytes once they were asked for: what they are made from need not be kept. */
  #value: Uint8Array | (() => Uint8Array);

  constructor(typeUrl: string, name: string, version: string, encode: () => Uint8Array) {
    this.typeUrl = typeUrl;
    this.name = name;
    this.version = version;
    this.#value = encode;
  }

  get value(): Uint8Array {
    if (typeof this.#value === 'function') this.#value = this.#value();
    return this.#value;
  }
}
