import type { MigrationSide } from '../../core/config/index.ts';
import type { MergedService } from '../catalog/index.ts';
import type { Report } from './check-destinations.ts';
import type { Finding } from './contract.ts';
import type { Lookup } from './lookup.ts';
import { findingOf, objectName, type RouteObject, type ShiftObject } from './objects.ts';
import { isKnownTo } from './select-endpoint.ts';

/** What of a shift is likely not meant, as findings of the Migration that it is of: that is what people write. */
export function checkShift(shift: ShiftObject, lookup: Lookup): readonly Finding[] {
  const findings: Finding[] = [];
  const { namespace, name, spec } = shift;
  const report: Report = (severity, code, path, message) =>
    findings.push(findingOf({ kind: 'Migration', namespace, name }, { severity, code, path, message }));
  const key = `${namespace}/${spec.service}` as MergedService['key'];
  const first = lookup.shift(key);
  if (first !== undefined && objectName(first) !== objectName(shift)) {
    report('error', 'conflict', 'spec.service', `not used: Migration ${objectName(first)} shifts ${key} already`);
    return findings;
  }
  const service = lookup.withEndpoints(key);
  if (service === undefined) report('error', 'dangling-reference', 'spec.service', `there is no service ${key}`);
  else {
    checkSides(shift, service, report);
    checkSubsets(shift, service, lookup, report);
  }
  return findings;
}

function checkSides({ spec: { from, to } }: ShiftObject, { key, endpoints }: MergedService, report: Report): void {
  const others = endpoints.filter((e) => !isKnownTo(from, e) && !isKnownTo(to, e));
  if (others.length > 0) {
    const who = [...new Set(others.map(({ cluster, source }) => sideText({ cluster, registry: source })))].sort().join(', ');
    const message = `${others.length} endpoint(s) of ${key} are of neither side and get no requests while it is shifted: they are of ${who}`;
    report('warning', 'migration-other-side', 'spec.from', message);
  }
  const shared = endpoints.filter((e) => isKnownTo(from, e) && isKnownTo(to, e)).length;
  if (shared === 0) return;
  const message = `${shared} endpoint(s) of ${key} are known to both sides and count as ${sideText(from)}'s`;
  report('warning', 'migration-both-sides', 'spec.to', message);
}

function sideText({ cluster, registry }: MigrationSide): string {
  return `${cluster}/${registry}`;
}

/** Who names a subset has said which endpoints are meant: that is not split. */
function checkSubsets({ namespace, spec }: ShiftObject, service: MergedService, lookup: Lookup, report: Report): void {
  for (const route of lookup.routesTo(spec.service, namespace, service)) {
    const subsets = subsetsNamed(route, service, lookup);
    if (subsets.length === 0) continue;
    const message = `${route.kind} ${objectName(route)} leads to subset ${subsets.join(', ')} of ${service.key}: what it takes stays there, whatever the weight`;
    report('warning', 'migration-subset', 'spec.service', message);
  }
}

function subsetsNamed(route: RouteObject, service: MergedService, lookup: Lookup): readonly string[] {
  const actions = route.spec.http.map((rule) => rule.action).filter((action) => action.type === 'route');
  const all = [...actions.flatMap((action) => action.destinations), ...route.spec.l4.flatMap((rule) => rule.destinations)];
  const named = all.flatMap(({ destination: { host, subset } }) =>
    subset !== undefined && lookup.resolve(host, route.namespace)?.key === service.key ? [subset] : [],
  );
  return [...new Set(named)].sort();
}
