import type { SpiffeId } from '../../../core/model/index.ts';
import { gatewayServiceAccount, principalOf, systemNamespace } from '../../../core/model/index.ts';
import type { Flow, FlowKey } from '../../../core/telemetry/index.ts';
import type { TrafficKey } from './contract.ts';
import { destinationOf, type MeshNames } from './destination.ts';

/** Who reports, as its SVID proves. */
export interface ReportingProxy {
  readonly spiffeId: SpiffeId;
  readonly cluster: string;
}

/** What reports are judged by: the catalog as it is. */
export interface ReportedMesh extends MeshNames {
  /** Whether this identity, of this cluster, runs an endpoint of the service. */
  serves(proxy: ReportingProxy, namespace: string, name: string): boolean;
}

/**
 * The key that a flow is counted under; undefined where the caller may not say it. As a source a workload speaks of itself alone,
 * whatever it says; as a destination of the services that its identity runs; gateways of what is on its way, and nobody else does.
 */
export function admitFlow({ key }: Flow, proxy: ReportingProxy, mesh: ReportedMesh): TrafficKey | undefined {
  const destination = destinationOf(key.cluster, mesh);
  const { reporter, route, group } = key;
  if (isGateway(proxy.spiffeId) !== (reporter === 'gateway')) return undefined;
  if (reporter === 'destination' && key.cluster !== '' && !mesh.serves(proxy, destination.namespace, destination.name)) return undefined;
  return { reporter, source: sourceOf(key, proxy), route, destination, group };
}

function sourceOf(key: FlowKey, { spiffeId, cluster }: ReportingProxy): TrafficKey['source'] {
  if (key.reporter === 'source') return { principal: principalOf(spiffeId), cluster };
  return { principal: key.sourcePrincipal, cluster: key.sourceCluster };
}

function isGateway({ namespace, serviceAccount }: SpiffeId): boolean {
  return namespace === systemNamespace && serviceAccount === gatewayServiceAccount;
}
