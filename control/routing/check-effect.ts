import type { DestinationPolicy } from '../../core/config/index.ts';
import type { HttpAction } from '../../core/traffic/index.ts';
import type { Report } from './check-destinations.ts';
import type { Lookup } from './lookup.ts';
import { objectName, type RouteObject, type RuleObject } from './objects.ts';

/** What of a route is taken and does nothing. `rulePath`: of its rule with that index. */
export function checkEffect(route: RouteObject, rulePath: (i: number) => string, lookup: Lookup, report: Report): void {
  checkUsed(route, lookup, report);
  const istio = route.kind === 'VirtualService';
  route.spec.http.forEach(({ action, matches }, i) => {
    const path = rulePath(i);
    checkTimes(action, { path, perTry: istio ? 'retries.perTryTimeout' : 'timeouts.backendRequest' }, report);
    matches.forEach((match, j) => {
      if (match.ignoreCase === true && match.path === undefined)
        report('warning', 'no-effect', `${path}.match[${j}].ignoreUriCase`, 'does nothing without uri, whose case it is about');
    });
  });
}

function checkUsed(route: RouteObject, lookup: Lookup, report: Report): void {
  const { hosts, parents } = route.spec;
  if (route.kind !== 'VirtualService') {
    if (parents.length === 0) report('warning', 'no-effect', 'spec.parentRefs', 'attached to nothing: name a Gateway or a Service');
    return;
  }
  if (hosts.length > 0 || lookup.delegators(objectName(route)).length > 0) return;
  report('warning', 'no-effect', 'spec.hosts', 'without hosts it is for others to delegate to, and nobody does: none of its rules is used');
}

function checkTimes<D>(action: HttpAction<D>, { path, perTry }: { readonly path: string; readonly perTry: string }, report: Report): void {
  if (action.type !== 'route') return;
  const { timeoutMs = 0 } = action;
  const perTryMs = action.retries?.perTryTimeoutMs ?? 0;
  if (timeoutMs > 0 && perTryMs > timeoutMs)
    report('warning', 'no-effect', `${path}.${perTry}`, `${perTryMs} ms is longer than the ${timeoutMs} ms that the whole request has`);
}

/** Of two `from` that one place fits the first counts, in every policy of the rule. */
export function checkDistribution({ spec }: RuleObject, report: Report): void {
  const check = ({ locality }: Omit<DestinationPolicy, 'ports'>, path: string) => {
    const distribute = locality?.distribute ?? [];
    distribute.forEach(({ from }, i) => {
      const first = distribute.findIndex((each, j) => j < i && overlap(each.from, from));
      if (first < 0) return;
      const at = `${path}.loadBalancer.localityLbSetting.distribute[${i}].from`;
      report('warning', 'conflict', at, `${from} overlaps ${distribute[first]?.from} of distribute[${first}], which counts where both fit`);
    });
  };
  const all = [
    { policy: spec.policy, path: 'spec.trafficPolicy' },
    ...spec.subsets.map((s, i) => ({ policy: s.policy, path: `spec.subsets[${i}].trafficPolicy` })),
  ];
  for (const { policy, path } of all) {
    check(policy, path);
    for (const [i, each] of policy.ports.entries()) check(each.policy, `${path}.portLevelSettings[${i}]`);
  }
}

/** What is left out at the end is open, as is `*`. */
function overlap(a: string, b: string): boolean {
  const [one, other] = [a.split('/'), b.split('/')];
  const open = (part: string | undefined) => part === undefined || part === '*';
  const at = one.findIndex((part, i) => open(part) || open(other[i]) || part !== other[i]);
  return at < 0 || open(one[at]) || open(other[at]);
}
