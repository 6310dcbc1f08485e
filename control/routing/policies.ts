import type { DestinationPolicy } from '../../core/config/index.ts';
import { systemNamespace } from '../../core/model/index.ts';
import { compareText, type MergedService } from '../catalog/index.ts';
import type { ClusterPolicy, Finding, Subset } from './contract.ts';
import type { Lookup, Matched } from './lookup.ts';
import { findingOf, type HealthObject, olderFirst, type RuleObject, visibleTo } from './objects.ts';

type PortPolicy = Omit<DestinationPolicy, 'ports'>;

/** The DestinationRules that hold for a service. */
interface Effective {
  /** Of the whole service, the one that is in force first. */
  readonly whole: readonly RuleObject[];
  /** Where subsets may come from, in order of precedence. */
  readonly all: readonly RuleObject[];
}

/**
 * Istio looks in the caller's namespace, the service's, and the root's. What is compiled here holds for callers of all namespaces
 * alike: so a rule for the whole service counts where it is in the service's namespace or in `isthmus-system` and is visible to all,
 * and of rules that only some callers may see just the subsets, which change nothing for who does not name them.
 */
function effective(service: MergedService, lookup: Lookup): Effective {
  const matched = lookup.destinationRules(service);
  const shared = matched.filter((m) => rank(m.object, service) < 2);
  const best = [...shared].sort(
    (a, b) => rank(a.object, service) - rank(b.object, service) || b.specificity - a.specificity || olderFirst(a.object, b.object),
  );
  const first = best[0];
  const whole = best.filter((m) => m.specificity === first?.specificity && m.object.namespace === first.object.namespace);
  const others = matched.filter((m) => rank(m.object, service) === 2);
  return { whole: whole.map(ruleOf), all: [...whole, ...others].map(ruleOf) };
}

function ruleOf(matched: Matched<RuleObject>): RuleObject {
  return matched.object;
}

function rank(rule: RuleObject, service: MergedService): 0 | 1 | 2 {
  if (visibleTo(rule.spec.exportTo, rule.namespace) !== undefined) return 2;
  if (rule.namespace === service.namespace) return 0;
  return rule.namespace === systemNamespace ? 1 : 2;
}

/** Whether the rule for the whole service is left out, as it is meant for some callers alone. */
export function holdsForSomeCallers(rule: RuleObject, service: MergedService): boolean {
  return rank(rule, service) === 2;
}

/** DestinationRules that a service's policies and subsets may come from, in order of precedence. */
export function rulesOf(service: MergedService, lookup: Lookup): readonly RuleObject[] {
  return effective(service, lookup).all;
}

export function subsetNames(service: MergedService, lookup: Lookup): readonly string[] {
  return [...new Set(effective(service, lookup).all.flatMap((rule) => rule.spec.subsets.map((s) => s.name)))].sort(compareText);
}

export interface CompiledPolicies {
  readonly subsets: readonly Subset[];
  readonly policies: ReadonlyMap<number, ClusterPolicy>;
  readonly findings: readonly Finding[];
}

/** Several rules for one host are one: the oldest that has a policy gives it, and of subsets of one name the oldest counts. */
export function compilePolicies(service: MergedService, lookup: Lookup): CompiledPolicies {
  const { whole, all } = effective(service, lookup);
  const policy = whole.find((rule) => hasPolicy(rule.spec.policy))?.spec.policy;
  const checks = lookup.healthChecks(service);
  const names = lookup.subjectAltNames(service);
  const subsets = new Map<string, Subset>();
  for (const rule of all) {
    for (const subset of rule.spec.subsets) {
      if (subsets.has(subset.name)) continue;
      const of = whole.includes(rule) ? policy : rule.spec.policy;
      subsets.set(subset.name, {
        name: subset.name,
        labels: subset.labels,
        policies: byPort(service, (port) =>
          withNames(withCheck(merge(merge({}, of, port), subset.policy, port), checks, port, subset.name), names),
        ),
      });
    }
  }
  return {
    subsets: [...subsets.values()].sort((a, b) => compareText(a.name, b.name)),
    policies: byPort(service, (port) => withNames(withCheck(merge({}, policy, port), checks, port, ''), names)),
    findings: conflicts(service, whole, policy),
  };
}

function byPort(service: MergedService, policyOf: (port: number) => PortPolicy): ReadonlyMap<number, ClusterPolicy> {
  const found = new Map<number, ClusterPolicy>();
  for (const { port } of service.ports) {
    const { locality, ...traffic } = policyOf(port);
    const said = Object.keys(traffic).length > 0;
    if (said || locality !== undefined) found.set(port, { ...(said ? { traffic } : {}), ...(locality === undefined ? {} : { locality }) });
  }
  return found;
}

const portFields = ['loadBalancer', 'locality', 'connections', 'outlier', 'tls'] as const;

/**
 * Istio's merge: field by field over `below`; but where a port has settings of its own they stand in the place of all fields that
 * a port can have, and what they leave out is the default, not what is said of all ports.
 */
function merge(below: PortPolicy, above: DestinationPolicy | undefined, port: number): PortPolicy {
  if (above === undefined) return below;
  const { ports, ...fields } = above;
  const merged = overlay(below, fields);
  const own = ports.find((p) => p.port === port)?.policy;
  if (own === undefined) return merged;
  const rest = Object.fromEntries(Object.entries(merged).filter(([key]) => !(portFields as readonly string[]).includes(key)));
  return { ...rest, ...defined(own) };
}

function overlay(below: PortPolicy, above: PortPolicy): PortPolicy {
  const said = defined(above);
  // One field of Istio's (`loadBalancer`) holds both: who says one of them takes away the other.
  const replaced = said.loadBalancer !== undefined || said.locality !== undefined;
  const { loadBalancer, locality, ...rest } = below;
  return { ...(replaced ? rest : below), ...said };
}

function defined(policy: PortPolicy): PortPolicy {
  return Object.fromEntries(Object.entries(policy).filter(([key, value]) => value !== undefined && key !== 'ports'));
}

/** The check that says the most of what it is for: a subset, then a port; then the more specific host, then the older. */
function withCheck(policy: PortPolicy, checks: readonly Matched<HealthObject>[], port: number, subset: string): PortPolicy {
  const fitting = checks.filter(
    ({ object: { spec } }) => (spec.port === undefined || spec.port === port) && (spec.subset === undefined || spec.subset === subset),
  );
  const score = ({ object: { spec } }: Matched<HealthObject>) => (spec.subset === undefined ? 0 : 2) + (spec.port === undefined ? 0 : 1);
  const specs = [...fitting].sort((a, b) => score(b) - score(a)).map(({ object }) => object.spec);
  const healthCheck = specs.find((spec) => spec.check !== undefined)?.check;
  const successRate = specs.find((spec) => spec.successRate !== undefined)?.successRate;
  return {
    ...policy,
    ...(healthCheck === undefined ? {} : { healthCheck }),
    ...(successRate === undefined ? {} : { outlier: { ...(policy.outlier ?? bySuccessRateAlone), successRate } }),
  };
}

/** Those of the ServiceEntry, where the rule names none. */
function withNames(policy: PortPolicy, subjectAltNames: readonly string[]): PortPolicy {
  const { tls } = policy;
  return tls === undefined || tls.subjectAltNames.length > 0 ? policy : { ...policy, tls: { ...tls, subjectAltNames } };
}

/** What a policy of its own is by Istio's defaults, save that answers in a row count for nothing. */
const bySuccessRateAlone: NonNullable<PortPolicy['outlier']> = {
  consecutive5xx: 0,
  consecutiveGatewayErrors: 0,
  consecutiveLocalOriginFailures: 5,
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  maxEjectionPercent: 10,
  minHealthPercent: 0,
};

function conflicts(service: MergedService, whole: readonly RuleObject[], used: DestinationPolicy | undefined): readonly Finding[] {
  const owner = new Map<string, RuleObject>();
  const findings: Finding[] = [];
  for (const rule of whole) {
    if (hasPolicy(rule.spec.policy) && rule.spec.policy !== used) {
      findings.push(conflict(rule, 'spec.trafficPolicy', `not used: an older DestinationRule for ${service.key} has one`));
    }
    rule.spec.subsets.forEach((subset, i) => {
      const first = owner.get(subset.name);
      if (first === undefined) owner.set(subset.name, rule);
      else
        findings.push(
          conflict(
            rule,
            `spec.subsets[${i}].name`,
            `not used: DestinationRule ${first.namespace}/${first.name} defines subset ${subset.name} of ${service.key} already`,
          ),
        );
    });
  }
  return findings;
}

function hasPolicy(policy: DestinationPolicy): boolean {
  return policy.ports.length > 0 || Object.keys(policy).length > 1;
}

function conflict(rule: RuleObject, path: string, message: string): Finding {
  return findingOf(rule, { severity: 'warning', code: 'conflict', path, message });
}
