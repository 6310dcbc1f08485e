import { type AuthzCondition, type AuthzRule, type AuthzTest, escapeRegex, requestAttributes, trustDomainOf } from '../../authz/index.ts';
import type { EnvoyCondition } from './envoy-condition.ts';
import {
  clusterSan,
  conditions,
  exclusions,
  identitySan,
  namespaceSan,
  orNone,
  principalSan,
  serviceAccountSan,
  trustDomainSan,
} from './san-match.ts';

/** Where a rule is asked. */
interface EnvoyPlace {
  readonly trustDomain: string;
  readonly transport: 'http' | 'tcp';
  /** The service port; undefined: not known. */
  readonly port?: number | undefined;
  /** Other trust domains whose identities handshakes bring besides, each proven by its own authorities. */
  readonly federated?: readonly string[] | undefined;
  /** Callers come in the clear, and prove nothing. Default false. */
  readonly plaintext?: boolean | undefined;
  /** What cannot be asked here. */
  readonly beyond?: (test: AuthzTest) => boolean;
}

/**
 * Of `core/authz`, on the pair of URI SAN and DNS SAN: both are there, once, and of this mesh, whatever the rule says; of identities of other
 * trust domains the URI SAN alone says anything. What cannot be told here holds for rules that refuse or mark, and does not for those that
 * let in.
 */
export function ruleCondition(rule: AuthzRule, place: EnvoyPlace): EnvoyCondition {
  if (place.plaintext === true) return plaintextCondition(rule, { ...place, caller: 'nobody' });
  const own = ownCondition(rule, { ...place, caller: 'own' });
  const { federated = [] } = place;
  return federated.length === 0 ? own : anyOf([own, foreignCondition(rule, federated, { ...place, caller: 'foreign' })]);
}

interface AskedOf extends EnvoyPlace {
  readonly caller: 'own' | 'foreign' | 'nobody';
}

function ownCondition(rule: AuthzRule, place: AskedOf): EnvoyCondition {
  const { trustDomain } = place;
  return allOf([
    ...identitySan(trustDomain),
    ...conditions(rule, trustDomain),
    ...(rule.also ?? []).flatMap((match) => [...conditions(match, trustDomain), ...exclusions(match, trustDomain)]),
    ...(rule.when === undefined ? [] : [further(rule.when, rule.action, place)]),
  ]);
}

/** What asks for a namespace or a cluster is for nobody of another domain, whatever DNS names they bring. */
function foreignCondition(rule: AuthzRule, federated: readonly string[], place: AskedOf): EnvoyCondition {
  const also = rule.also ?? [];
  if ([rule, ...also].some((match) => match.namespaces.length + match.clusters.length > 0)) return constant(false);
  const named = [rule, ...also].flatMap((match) => match.principals).filter((pattern) => federated.includes(trustDomainOf(pattern) ?? ''));
  if (rule.action === 'allow' && named.length === 0) return constant(false);
  return allOf([
    { kind: 'uri', regex: `spiffe://(${federated.map(escapeRegex).join('|')})/[^,]+` },
    ...(rule.action === 'allow' ? orNone(named.map(principalSan)) : []),
    ...[rule, ...also].flatMap((match) => orNone(match.principals.map(principalSan))),
    ...also.flatMap((match) => match.notPrincipals.map((pattern): EnvoyCondition => ({ kind: 'not', of: principalSan(pattern) }))),
    ...(rule.when === undefined ? [] : [further(rule.when, rule.action, place)]),
  ]);
}

/** No pattern matches what was not proven; that somebody is none of them holds. May be settled: `always` or `never`. */
function plaintextCondition(rule: AuthzRule, place: AskedOf): EnvoyCondition {
  const named = [rule, ...(rule.also ?? [])].some((m) => m.principals.length + m.namespaces.length + m.clusters.length > 0);
  if (named) return constant(false);
  return rule.when === undefined ? constant(true) : further(rule.when, rule.action, place);
}

function further(when: AuthzCondition, action: AuthzRule['action'], place: AskedOf): EnvoyCondition {
  if (place.transport === 'tcp' && action === 'allow' && asksForRequest(when)) return { kind: 'never' };
  return translated(when, action !== 'allow', place);
}

function asksForRequest(condition: AuthzCondition): boolean {
  switch (condition.kind) {
    case 'all':
    case 'any':
      return condition.of.some(asksForRequest);
    case 'not':
      return asksForRequest(condition.of);
    case 'test':
      return requestAttributes.has(condition.attribute);
    case 'unknown':
      return true;
  }
}

/** `open`: what something that cannot be told counts as. */
function translated(condition: AuthzCondition, open: boolean, place: AskedOf): EnvoyCondition {
  switch (condition.kind) {
    case 'all':
      return allOf(condition.of.map((each) => translated(each, open, place)));
    case 'any':
      return anyOf(condition.of.map((each) => translated(each, open, place)));
    case 'not':
      return notOf(translated(condition.of, !open, place));
    case 'test':
      return testOf(condition, open, place);
    case 'unknown':
      return constant(open);
  }
}

const ofCertificate: ReadonlySet<AuthzTest['attribute']> = new Set<AuthzTest['attribute']>([
  'principal',
  'namespace',
  'cluster',
  'trust-domain',
  'service-account',
]);
const ofOurs: ReadonlySet<AuthzTest['attribute']> = new Set<AuthzTest['attribute']>(['namespace', 'cluster', 'service-account']);

function testOf(test: AuthzTest, open: boolean, { trustDomain, transport, port, beyond, caller }: AskedOf): EnvoyCondition {
  const { attribute, patterns } = test;
  if (transport === 'tcp' && requestAttributes.has(attribute)) return constant(open);
  if (caller === 'nobody' && ofCertificate.has(attribute)) return constant(false);
  // Who is of another domain has none of these here.
  if (caller === 'foreign' && ofOurs.has(attribute)) return constant(false);
  switch (attribute) {
    case 'principal':
      return anyOf(patterns.map(principalSan));
    case 'namespace':
      return anyOf(patterns.map((pattern) => namespaceSan(pattern, trustDomain)));
    case 'cluster':
      return anyOf(patterns.map((pattern) => clusterSan(pattern, trustDomain)));
    case 'trust-domain':
      return anyOf(patterns.map(trustDomainSan));
    case 'service-account':
      return anyOf(patterns.map(serviceAccountSan));
    case 'port':
      return constant(port === undefined ? open : patterns.includes(String(port)));
    default:
      return beyond?.(test) === true ? constant(open) : { kind: 'test', test };
  }
}

function constant(holds: boolean): EnvoyCondition {
  return { kind: holds ? 'always' : 'never' };
}

/** Without what is settled, and with two parts or more. */
function allOf(of: readonly EnvoyCondition[]): EnvoyCondition {
  if (of.some((each) => each.kind === 'never')) return { kind: 'never' };
  return joined(
    'all',
    of.filter((each) => each.kind !== 'always'),
    'always',
  );
}

function anyOf(of: readonly EnvoyCondition[]): EnvoyCondition {
  if (of.some((each) => each.kind === 'always')) return { kind: 'always' };
  return joined(
    'any',
    of.filter((each) => each.kind !== 'never'),
    'never',
  );
}

function joined(kind: 'all' | 'any', of: readonly EnvoyCondition[], none: 'always' | 'never'): EnvoyCondition {
  const [only, second] = of;
  if (only === undefined) return { kind: none };
  return second === undefined ? only : { kind, of };
}

function notOf(of: EnvoyCondition): EnvoyCondition {
  if (of.kind === 'always' || of.kind === 'never') return constant(of.kind === 'never');
  return { kind: 'not', of };
}
