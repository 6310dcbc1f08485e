import type { CatalogInput } from '../../control/catalog/reducer.ts';
import { callerPolicies } from '../../control/policy/index.ts';
import { type GatewayPort, noTraffic, type SnapshotInputs } from '../../control/snapshot/index.ts';
import { clusterId, networkId, type ServiceRecord, sourceId } from '../../core/model/index.ts';
import { viewAfter } from './mesh-history.ts';
import type { MeshPki } from './mesh-pki.ts';

export interface EnvoyScene {
  /** Of cluster east. */
  readonly services: readonly ServiceRecord[];
  /** Gateways of cluster east: network → its port on 127.0.0.1. */
  readonly gateways?: Readonly<Record<string, number>>;
  readonly gatewayPorts?: readonly GatewayPort[];
  readonly originateCidrs?: readonly string[];
  readonly deniedSerials?: readonly string[];
}

const east = clusterId('east');
const scope = { claims: ['*'], identityNamespaces: ['*'] };

/** What the control plane of cluster east makes its snapshots from. Identities of east may call what is here, nobody else. */
export function sceneInputs(pki: MeshPki, scene: EnvoyScene): SnapshotInputs {
  const { services, gateways = {}, gatewayPorts = [], originateCidrs = [], deniedSerials = [] } = scene;
  const source = sourceId('vm');
  const records = Object.entries(gateways).map(([network, port]) => ({
    instance: `gw-${network}`,
    addresses: ['127.0.0.1'],
    cluster: east,
    network: networkId(network),
    port,
    healthy: true,
    draining: false,
  }));
  const events: CatalogInput[] = [
    { kind: 'add-source', source, scope, at: 0 },
    { kind: 'event', cluster: east, source, event: { kind: 'snapshot', services, cursor: '' }, at: 0 },
    { kind: 'gateways', cluster: east, gateways: records },
  ];
  return {
    view: viewAfter(events),
    hostSuffix: 'mesh.internal',
    trust: {
      trustDomain: pki.trustDomain,
      roots: pki.bundle.roots,
      intermediates: ['east', 'west'].map((cluster) => ({ cluster, certificate: pki.cluster(cluster).certificate.der })),
      deniedSerials,
    },
    policies: callerPolicies({ cluster: 'east', trustDomain: pki.trustDomain, exports: [], peers: new Map() }),
    traffic: noTraffic,
    gatewayPorts,
    originateCidrs,
  };
}
