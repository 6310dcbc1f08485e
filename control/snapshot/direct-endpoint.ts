import { formatLocality } from '../../core/model/index.ts';
import type { CatalogEndpoint } from '../catalog/index.ts';
import type { EndpointIr } from './ir.ts';

/** What callers are told of an endpoint that is itself what answers, with no gateway before it. */
export function directEndpoint(
  e: CatalogEndpoint,
): Pick<EndpointIr, 'cluster' | 'network' | 'locality' | 'runtime' | 'instance' | 'viaGateway' | 'stale' | 'draining'> {
  return {
    cluster: e.cluster,
    network: e.network,
    locality: formatLocality(e.locality),
    runtime: e.runtime,
    instance: e.instance,
    viaGateway: false,
    stale: e.state === 'stale',
    draining: e.health === 'draining',
  };
}

/** As integers, which is what xDS has; a fraction above 0 is not nothing. */
export function wholeWeight(e: CatalogEndpoint): number {
  return e.health === 'draining' ? 0 : Math.max(e.weight === 0 ? 0 : 1, Math.round(e.weight));
}
