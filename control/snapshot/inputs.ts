import type { ServiceKey } from '../../core/model/index.ts';
import type { JwtKey, TrustBundle } from '../../core/pki/index.ts';
import type { CatalogView } from '../catalog/index.ts';
import type { Policy } from '../policy/index.ts';
import { noClientRules, type TrafficModel } from '../routing/index.ts';
import type { ClientClass, Snapshot } from './ir.ts';

/** Everything snapshots are made from. Plain immutable data: what is `===` to the inputs before is taken as unchanged. */
export interface SnapshotInputs {
  readonly view: CatalogView;
  /** The same suffix in every cluster of the mesh, as SNI carries hosts made with it. */
  readonly hostSuffix: string;
  readonly trust: TrustInput;
  /** In order; see control/policy. */
  readonly policies: readonly Policy[];
  /** Made from `view`. Where it is not the one of the inputs before, its `changed` says how it differs from that one. */
  readonly traffic: TrafficModel;
  /** The persisted gateway ports of callers without a sidecar. */
  readonly gatewayPorts: readonly GatewayPort[];
  /** Source addresses that may use them, from MeshSpec.originate.sources; empty: nobody. */
  readonly originateCidrs: readonly string[];
}

export interface TrustInput {
  readonly trustDomain: string;
  /** DER. */
  readonly roots: readonly Uint8Array[];
  readonly intermediates: readonly { readonly cluster: string; readonly certificate: Uint8Array }[];
  /** Lower-case hex. */
  readonly deniedSerials: readonly string[];
  /** Bundles of other trust domains. Absent: none. */
  readonly others?: readonly Pick<TrustBundle, 'trustDomain' | 'roots' | 'jwtKeys'>[];
  /** SHA-256 of the root that signs, of several. */
  readonly signingRoot?: Uint8Array;
  /** What verifies JWT-SVIDs. */
  readonly jwtKeys?: readonly JwtKey[];
}

/** Nothing is said of any service: all defaults hold. */
export const noTraffic: TrafficModel = {
  service: () => undefined,
  gateways: new Map(),
  changed: { services: new Set(), gateways: new Set() },
  findings: [],
  clients: noClientRules,
  differsFor: () => false,
};

/** One imported (service, port) and the gateway port on which callers without a sidecar find it. */
export interface GatewayPort {
  readonly service: ServiceKey;
  readonly port: number;
  readonly gatewayPort: number;
}

/** Keeps what it built of each service, and rebuilds what a change touches. Deterministic: its history never shows in a snapshot. */
export interface SnapshotBuilder {
  /** Takes new inputs; `services` (of the CatalogChange) limits what is looked at again. Without it everything is. */
  update(inputs: SnapshotInputs, services?: ReadonlySet<ServiceKey>): void;
  /**
   * The newest snapshot for a class, built now if it was not; the same object until an update changed it. One with a namespace is made
   * of the class without it, which is built and kept besides, and of the services that its callers are told otherwise of.
   */
  snapshot(client: ClientClass): Snapshot;
  /** Nobody follows that class any more, nor one that is made of it: it may be forgotten, and is built anew when it is asked for again. */
  release(client: ClientClass): void;
  /** Those of the newest update; undefined before the first. */
  inputs(): SnapshotInputs | undefined;
  /** Services whose new resources contradict themselves in a class that is known: the ones before are served on. By service, with every fault. */
  faults(): ReadonlyMap<ServiceKey, readonly string[]>;
}

const indexes = new WeakMap<readonly GatewayPort[], ReadonlyMap<string, GatewayPort>>();

/** The gateway port of one (service, port). Looks each table through once, as it is asked for every port of a mesh. */
export function findGatewayPort(table: readonly GatewayPort[], service: ServiceKey, port: number): GatewayPort | undefined {
  let index = indexes.get(table);
  if (index === undefined) {
    // The first of two wins.
    index = new Map(table.toReversed().map((each) => [`${each.service}:${each.port}`, each]));
    indexes.set(table, index);
  }
  return index.get(`${service}:${port}`);
}
