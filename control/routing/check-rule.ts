import { systemNamespace } from '../../core/model/index.ts';
import type { MergedService } from '../catalog/index.ts';
import type { Report } from './check-destinations.ts';
import { checkDistribution } from './check-effect.ts';
import type { Finding } from './contract.ts';
import { isWildcard } from './hosts.ts';
import type { Lookup } from './lookup.ts';
import { findingOf, type HealthObject, objectName, type RuleObject } from './objects.ts';
import { isOnAnyPath, subsetNames } from './rule-path.ts';
import { selectEndpoint } from './select-endpoint.ts';

export function checkDestinationRule(rule: RuleObject, lookup: Lookup): readonly Finding[] {
  const findings: Finding[] = [];
  const report: Report = (severity, code, path, message) => findings.push(findingOf(rule, { severity, code, path, message }));
  checkDistribution(rule, report);
  if (isWildcard(rule.spec.host)) return findings;
  const service = lookup.resolve(rule.spec.host, rule.namespace);
  if (service === undefined) {
    report('warning', 'unknown-host', 'spec.host', `no service answers to ${rule.spec.host}`);
    return findings;
  }
  checkCallers(rule, service, report);
  checkPorts(rule, service, report);
  const all = lookup.withEndpoints(service.key)?.endpoints ?? [];
  const used = usedSubsets(rule, service, lookup);
  rule.spec.subsets.forEach((subset, i) => {
    const path = `spec.subsets[${i}]`;
    if (!all.some((e) => selectEndpoint(subset.labels, e))) {
      const labels = Object.entries(subset.labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(', ');
      report('warning', 'unreachable-subset', path, `none of the ${all.length} endpoints of ${service.key} has ${labels} now`);
    }
    if (!used.has(subset.name)) report('warning', 'unused-subset', path, `no route leads to subset ${subset.name} of ${service.key}`);
  });
  return findings;
}

function checkCallers(rule: RuleObject, service: MergedService, report: Report): void {
  if (isOnAnyPath(rule, service)) return;
  const path = [...new Set([service.namespace, systemNamespace])].join(' and in ');
  const message = `nobody looks for it in ${rule.namespace}: callers of ${service.key} look in their own namespace, in ${path}`;
  report('warning', 'unused-rule', 'spec.exportTo', message);
}

function checkPorts(rule: RuleObject, service: MergedService, report: Report): void {
  const policies = [
    { policy: rule.spec.policy, path: 'spec.trafficPolicy' },
    ...rule.spec.subsets.map((s, i) => ({ policy: s.policy, path: `spec.subsets[${i}].trafficPolicy` })),
  ];
  for (const { policy, path } of policies) {
    policy.ports.forEach(({ port }, i) => {
      if (service.ports.some((p) => p.port === port)) return;
      report('error', 'dangling-reference', `${path}.portLevelSettings[${i}].port`, `service ${service.key} has no port ${port}`);
    });
  }
}

function usedSubsets(rule: RuleObject, service: MergedService, lookup: Lookup): ReadonlySet<string> {
  const used = new Set<string>();
  for (const route of lookup.routesTo(rule.spec.host, rule.namespace, service)) {
    const actions = route.spec.http.map((r) => r.action).filter((action) => action.type === 'route');
    const refs = [
      ...actions.flatMap((action) => [...action.destinations, ...action.mirrors]),
      ...route.spec.l4.flatMap((r) => r.destinations),
    ].map((d) => d.destination);
    for (const { host, subset } of refs) {
      if (subset !== undefined && lookup.resolve(host, route.namespace)?.key === service.key) used.add(subset);
    }
  }
  return used;
}

export function checkHealthPolicy(object: HealthObject, lookup: Lookup): readonly Finding[] {
  const { host, port, subset } = object.spec;
  if (isWildcard(host)) return [];
  const say = (severity: Finding['severity'], code: string, path: string, message: string) => [
    findingOf(object, { severity, code, path, message }),
  ];
  const service = lookup.resolve(host, object.namespace);
  if (service === undefined) return say('warning', 'unknown-host', 'spec.host', `no service answers to ${host}`);
  if (port !== undefined && !service.ports.some((p) => p.port === port)) {
    return say('error', 'dangling-reference', 'spec.port', `service ${service.key} has no port ${port}`);
  }
  if (subset !== undefined && subset !== '' && !subsetNames(service, lookup).includes(subset)) {
    return say(
      'error',
      'dangling-reference',
      'spec.subset',
      `service ${service.key} has no subset ${subset}: ${objectName(object)} checks nobody`,
    );
  }
  return [];
}
