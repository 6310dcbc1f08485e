import type { Plan } from '../../../core/admin/index.ts';
import type { ServiceKey } from '../../../core/model/index.ts';
import type { Egress, Workload } from '../../routing/index.ts';
import { type SnapshotInputs, visibleServices } from '../../snapshot/index.ts';
import { type ClientFacts, namespaceOf } from './client-facts.ts';
import type { SeenFlow } from './contract.ts';

/** What Sidecars let one client see, before and after. */
export interface Sight {
  readonly gained: readonly ServiceKey[];
  readonly lost: readonly ServiceKey[];
  /** Whether anything of a service is told to it, before or after. */
  hearsOf(service: ServiceKey): boolean;
}

function workloadOf(client: ClientFacts): Workload {
  return { namespace: namespaceOf(client), labels: client.labels };
}

const everything: Sight = { gained: [], lost: [], hearsOf: () => true };

/** Pure. Looks a pair of Sidecars through once, however many clients it is for. */
export function compareSight(before: SnapshotInputs, after: SnapshotInputs): (client: ClientFacts) => Sight {
  const known = new Map<Egress | undefined, Map<Egress | undefined, Sight>>();
  return (client) => {
    if (client.kind !== 'agent') return everything;
    const workload = workloadOf(client);
    const [was, is] = [before.traffic.clients.egress(workload), after.traffic.clients.egress(workload)];
    const of = known.get(was) ?? new Map<Egress | undefined, Sight>();
    known.set(was, of);
    const sight = of.get(is) ?? sightOf([was, before], [is, after]);
    of.set(is, sight);
    return sight;
  };
}

type Side = readonly [egress: Egress | undefined, inputs: SnapshotInputs];

function sightOf(before: Side, after: Side): Sight {
  const gained: ServiceKey[] = [];
  const lost: ServiceKey[] = [];
  const names = ([egress]: Side, service: ServiceKey) => egress === undefined || egress.names(service);
  for (const service of before[0] === after[0] ? [] : after[1].view.services.keys()) {
    const [was, is] = [names(before, service), names(after, service)];
    if (was && !is) lost.push(service);
    if (is && !was) gained.push(service);
  }
  const reaches = ([egress, inputs]: Side, service: ServiceKey) => egress === undefined || visibleServices(egress, inputs).reaches(service);
  return { gained, lost, hearsOf: (service) => reaches(before, service) || reaches(after, service) };
}

/** Traffic that was seen and whose caller would no longer see where it goes. */
export function hiddenFlows(
  flows: readonly SeenFlow[],
  clients: readonly ClientFacts[],
  sightOfClient: (client: ClientFacts) => Sight,
  after: SnapshotInputs,
): Plan['findings'] {
  return flows.flatMap(({ source, destination, requests, lastAt }) => {
    const callers = clients.filter((each) => each.cluster === source.cluster && each.identity === `spiffe://${source.principal}`);
    const cut = callers.find((each) => sightOfClient(each).lost.includes(destination));
    if (cut === undefined) return [];
    const sidecar = after.traffic.clients.egress(workloadOf(cut))?.sidecar ?? '';
    const seen = `which called ${destination} ${requests} times in the last hour, last at ${new Date(lastAt).toISOString()}`;
    const message = `would hide it from ${source.principal} of ${source.cluster}, ${seen}`;
    return [{ severity: 'error' as const, code: 'sidecar-cuts-traffic', path: 'spec.egress', message, object: `Sidecar ${sidecar}` }];
  });
}
