import type { ServicePlan } from '../../../core/admin/index.ts';
import { principalOf, type ServiceKey } from '../../../core/model/index.ts';
import type { CatalogView } from '../../catalog/index.ts';
import { authorize, type Caller, explainDecision } from '../../policy/index.ts';
import { compileAuthz, type SnapshotInputs } from '../../snapshot/index.ts';
import type { ClientFacts } from './client-facts.ts';
import type { SeenFlow } from './contract.ts';

type CallerChange = ServicePlan['callers'][number];

/** Pure: everybody of whom this control plane knows that they might call. */
export function knownCallers(
  view: CatalogView,
  trustDomain: string,
  clients: readonly ClientFacts[],
  flows: readonly SeenFlow[],
): Caller[] {
  const callers = new Map<string, Caller>();
  const add = (principal: string, cluster: string) => {
    const [, namespace = ''] = /\/ns\/([^/]+)\/sa\//.exec(principal) ?? [];
    callers.set(`${principal} ${cluster}`, { principal, namespace, cluster });
  };
  for (const service of view.services.values()) {
    for (const { identityNamespace: namespace, serviceAccount, cluster, tlsMode } of service.endpoints) {
      if (tlsMode === 'mesh') add(principalOf({ trustDomain, namespace, serviceAccount }), cluster);
    }
  }
  for (const { identity, cluster } of clients) add(identity.slice('spiffe://'.length), cluster);
  for (const { source } of flows) add(source.principal, source.cluster);
  return [...callers.values()].sort((a, b) => (`${a.principal} ${a.cluster}` < `${b.principal} ${b.cluster}` ? -1 : 1));
}

/** Pure: whose calls are decided otherwise. Only what this cluster enforces is looked at. */
export function compareCallers(
  before: SnapshotInputs,
  after: SnapshotInputs,
  callers: readonly Caller[],
): ReadonlyMap<ServiceKey, CallerChange[]> {
  const found = new Map<ServiceKey, CallerChange[]>();
  for (const service of after.view.services.values()) {
    const [old, now] = [compileAuthz(service, before), compileAuthz(service, after)];
    if (JSON.stringify(old.rules) === JSON.stringify(now.rules)) continue;
    const changes = callers.flatMap((caller): CallerChange[] => {
      const { allowed, text } = explainDecision(now, caller);
      if (allowed === authorize(old.rules, caller).allowed) return [];
      return [{ principal: caller.principal, cluster: caller.cluster, allowed, because: text }];
    });
    found.set(service.key, changes);
  }
  return found;
}
