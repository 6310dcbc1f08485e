import { isDeepStrictEqual } from 'node:util';
import type { DestinationPolicy } from '../../core/config/index.ts';
import { parseWorkloadId } from '../../core/model/index.ts';
import { compareText, type MergedService } from '../catalog/index.ts';
import type { CallerTraffic, ClusterPolicy, Finding, ForeignServers, Subset } from './contract.ts';
import type { Lookup, Matched } from './lookup.ts';
import { findingOf, type HealthObject, objectName, type RuleObject, type ShiftObject } from './objects.ts';
import { callersApart, type Effective, effectiveRules } from './rule-path.ts';
import { shiftSubsets } from './shift.ts';

type PortPolicy = Omit<DestinationPolicy, 'ports'>;

export interface CompiledPolicies extends CallerTraffic {
  readonly callers: ReadonlyMap<string, CallerTraffic>;
  readonly findings: readonly Finding[];
}

/** For most callers, and for each namespace that is told otherwise. */
export function compilePolicies(service: MergedService, lookup: Lookup): CompiledPolicies {
  const said: Said = {
    service,
    checks: lookup.healthChecks(service),
    names: lookup.subjectAltNames(service),
    host: lookup.entryHost(service),
    shift: lookup.shift(service.key),
  };
  const general = effectiveRules(service, lookup);
  const shared = compileEffective(said, general);
  const findings = conflicts(service, general.whole);
  const callers = new Map<string, CallerTraffic>();
  for (const namespace of callersApart(service, lookup)) {
    const own = effectiveRules(service, lookup, namespace);
    const traffic = compileEffective(said, own);
    callers.set(namespace, traffic);
    findings.push(...conflicts(service, own.whole), ...otherLabels(service, own.whole, shared));
  }
  return { ...shared, callers, findings: [...new Map(findings.map((each) => [JSON.stringify(each), each])).values()] };
}

/** What is said of a service beside its DestinationRules, to all callers. */
interface Said {
  readonly service: MergedService;
  readonly checks: readonly Matched<HealthObject>[];
  readonly names: readonly string[];
  readonly host: string;
  readonly shift: ShiftObject | undefined;
}

/** Several rules for one host are one: the oldest that has a policy gives it, and of subsets of one name the oldest counts. */
function compileEffective({ service, checks, names, host, shift }: Said, { whole, all }: Effective): CallerTraffic {
  const foreign = foreignServers(names, host);
  const policy = policyOf(whole);
  const subsets = new Map<string, Subset>();
  for (const rule of all) {
    for (const subset of rule.spec.subsets) {
      if (subsets.has(subset.name)) continue;
      const of = whole.includes(rule) ? policy : rule.spec.policy;
      subsets.set(subset.name, {
        name: subset.name,
        labels: subset.labels,
        policies: byPort(service, foreign, (port) =>
          withNames(withCheck(merge(merge({}, of, port), subset.policy, port), checks, port, subset.name), names),
        ),
      });
    }
  }
  const policies = byPort(service, foreign, (port) => withNames(withCheck(merge({}, policy, port), checks, port, ''), names));
  for (const subset of shift === undefined ? [] : shiftSubsets(shift, policies)) subsets.set(subset.name, subset);
  return { rules: whole.map(objectName), subsets: [...subsets.values()].sort((a, b) => compareText(a.name, b.name)), policies };
}

function policyOf(whole: readonly RuleObject[]): DestinationPolicy | undefined {
  return whole.find((rule) => hasPolicy(rule.spec.policy))?.spec.policy;
}

function byPort(
  service: MergedService,
  foreign: ForeignServers | undefined,
  policyOf: (port: number) => PortPolicy,
): ReadonlyMap<number, ClusterPolicy> {
  const found = new Map<number, ClusterPolicy>();
  for (const { port } of service.ports) {
    const { locality, ...traffic } = policyOf(port);
    const said = Object.keys(traffic).length > 0;
    // Whoever says TLS of its own says whom it believes.
    const expects = traffic.tls === undefined && foreign !== undefined;
    if (!said && locality === undefined && !expects) continue;
    found.set(port, {
      ...(said ? { traffic } : {}),
      ...(locality === undefined ? {} : { locality }),
      ...(expects ? { foreign } : {}),
    });
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

/** Undefined: they are no ids of one trust domain, as of entries that mean one service and disagree. */
function foreignServers(names: readonly string[], host: string): ForeignServers | undefined {
  const ids = names.map((name) => parseWorkloadId(name)?.trustDomain);
  const [trustDomain] = ids;
  if (trustDomain === undefined || ids.some((each) => each !== trustDomain)) return undefined;
  return { trustDomain, uriSans: [...new Set(names)].sort(), host };
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

function conflicts(service: MergedService, whole: readonly RuleObject[]): Finding[] {
  const used = policyOf(whole);
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

/** A gateway does not know for whom it carries a connection: it has one meaning for a subset's name. */
function otherLabels(service: MergedService, whole: readonly RuleObject[], { subsets }: CallerTraffic): readonly Finding[] {
  return whole.flatMap((rule) =>
    rule.spec.subsets.flatMap(({ name, labels }, i) => {
      const general = subsets.find((each) => each.name === name);
      if (general === undefined || isDeepStrictEqual({ ...general.labels }, { ...labels })) return [];
      const message = `subset ${name} of ${service.key} has other labels for most callers: those count for endpoints behind a gateway`;
      return [conflict(rule, `spec.subsets[${i}].labels`, message)];
    }),
  );
}

function hasPolicy(policy: DestinationPolicy): boolean {
  return policy.ports.length > 0 || Object.keys(policy).length > 1;
}

function conflict(rule: RuleObject, path: string, message: string): Finding {
  return findingOf(rule, { severity: 'warning', code: 'conflict', path, message });
}
