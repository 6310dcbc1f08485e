import { parseLocality } from '../../../core/model/index.ts';
import { ClusterLoadAssignment } from '../../../core/xds/gen/envoy/config/endpoint/v3/endpoint.ts';
import type { DialectResource } from '../dialect.ts';
import type { EndpointIr } from '../ir.ts';
import { resourceOf } from './messages.ts';
import { scaleWeights } from './scale-weights.ts';

/**
 * gRPC balances evenly within a locality and by weight between localities, and drops a locality without a weight in silence: endpoints of
 * different weight become localities of their own. One priority, as an xDS cluster here holds endpoints of one only.
 */
export function assignmentOf(name: string, endpoints: readonly EndpointIr[]): DialectResource {
  const localities = new Map<string, EndpointIr[]>();
  for (const e of endpoints) {
    const key = `${e.locality} ${e.weight}`;
    const members = localities.get(key);
    if (members === undefined) localities.set(key, [e]);
    else members.push(e);
  }
  const lists = [...localities.values()];
  const weights = scaleWeights(lists.map((list) => list.reduce((sum, e) => sum + e.weight, 0)));
  return resourceOf('loadAssignment', name, ClusterLoadAssignment, {
    clusterName: name,
    endpoints: lists.map((list, i) => ({
      priority: 0,
      locality: localityOf(list, lists),
      loadBalancingWeight: weights[i] ?? 1,
      lbEndpoints: list.map(lbEndpoint),
    })),
  });
}

function localityOf(list: readonly EndpointIr[], all: readonly (readonly EndpointIr[])[]) {
  const [first] = list;
  const { region, zone, subzone } = parseLocality(first?.locality ?? '');
  const alone = all.filter((other) => other[0]?.locality === first?.locality).length === 1;
  return { region, zone, subZone: alone ? subzone : `${subzone}~${first?.weight ?? 0}` };
}

function lbEndpoint(e: EndpointIr) {
  const socketAddress = { address: e.address, portSpecifier: { $case: 'portValue', value: e.port } } as const;
  return {
    hostIdentifier: { $case: 'endpoint', value: { address: { address: { $case: 'socketAddress', value: socketAddress } } } },
    loadBalancingWeight: 1,
  } as const;
}
