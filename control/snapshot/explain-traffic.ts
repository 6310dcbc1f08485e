import { meshHost, type ServicePort } from '../../core/model/index.ts';
import type { HttpAction, Routing, WeightedDestination } from '../../core/traffic/index.ts';
import type { MergedService } from '../catalog/index.ts';
import { selectable } from './assign-endpoints.ts';
import type { SnapshotInputs } from './inputs.ts';
import type { AssignmentIr } from './ir.ts';
import { callerTraffic, membersOf } from './subset.ts';

type ClusterShare = WeightedDestination<{ readonly cluster: string; readonly missing?: number }>;

/**
 * Which rules apply to a port and where each leads, then the DestinationRules that callers of this namespace keep to, and their
 * subsets; nothing where nothing is said of it.
 */
export function trafficLines(inputs: SnapshotInputs, service: MergedService, port: ServicePort, namespace: string): readonly string[] {
  const traffic = inputs.traffic.service(service.key);
  const said = callerTraffic(traffic, namespace);
  if (traffic === undefined || said === undefined) return [];
  const apart = said === traffic ? '' : `, which callers of ${namespace} keep to and others do not`;
  const rules = said.rules.map((name) => `DestinationRule ${name}${apart}`);
  const routing = traffic.routing.get(port.port);
  const subsets = said.subsets.map((subset) => {
    const usable = selectable(membersOf(service.endpoints, port, subset), port).length;
    return `subset ${subset.name} of ${meshHost(service, inputs.hostSuffix)}: ${usable} endpoint(s) take traffic`;
  });
  return [...(routing === undefined ? [] : ruleLines(routing)), ...rules, ...subsets];
}

function ruleLines({ virtualHosts, l4 }: Routing): readonly string[] {
  const http = virtualHosts.flatMap(({ domains, rules }) =>
    rules.map((rule) => {
      const when = rule.matches.length === 0 ? 'all requests' : `requests that match one of ${rule.matches.length}`;
      return `rule ${rule.name} for ${domains.join(', ')}: ${when} ${actionText(rule.action)}`;
    }),
  );
  return [...http, ...l4.map((rule) => `rule ${rule.name}: connections go to ${sharesText(rule.destinations)}`)];
}

function actionText(action: HttpAction<ClusterShare['destination']>): string {
  switch (action.type) {
    case 'route':
      return `go to ${sharesText(action.destinations)}`;
    case 'redirect':
      return `are redirected with ${action.status}`;
    case 'direct':
      return `are answered ${action.status}`;
  }
}

function sharesText(destinations: readonly ClusterShare[]): string {
  const sum = destinations.reduce((total, d) => total + d.weight, 0);
  const percent = (weight: number) => (destinations.length === 1 || sum === 0 ? '' : `${Number(((100 * weight) / sum).toFixed(3))} % `);
  return destinations
    .map(({ destination: { cluster, missing = 503 }, weight }) => `${percent(weight)}${cluster === '' ? `nowhere (${missing})` : cluster}`)
    .join(', ');
}

/** How near each priority is, and what `distribute` gives to whom. */
export function priorityLines({ endpoints, localities = [] }: AssignmentIr): readonly string[] {
  const priorities = [...new Set(endpoints.map((e) => e.priority))];
  return priorities.map((priority) => {
    const members = endpoints.filter((e) => e.priority === priority);
    const places = [...new Set(members.map((e) => e.locality))].sort().map((locality) => {
      const share = localities.find((l) => l.priority === priority && l.locality === locality);
      const sick = members.filter((e) => e.locality === locality && e.unhealthy === true).length;
      const name = locality === '' ? 'an unknown locality' : locality;
      return `${name}${share === undefined ? '' : ` (share ${share.weight})`}${sick === 0 ? '' : ` (${sick} unhealthy)`}`;
    });
    return `priority ${priority}: ${places.join(', ')}`;
  });
}
