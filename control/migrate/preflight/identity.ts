import { parseSpiffeId, principalOf } from '../../../core/model/index.ts';
import type { CatalogView, MergedService } from '../../catalog/index.ts';
import type { Caller, Policy, ServiceAuthz } from '../../policy/index.ts';
import { authorize } from '../../policy/index.ts';
import type { PreflightCheck } from './contract.ts';
import type { Scene, Side } from './scene.ts';
import { fail, type Problem, verdict, warn } from './verdict.ts';
import { countText, listText, someText } from './words.ts';

/** Whom a side's workloads are, and whether they speak mTLS. */
export interface Identity {
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** Of those that speak mTLS; where nothing is registered yet, what the registry's rules will give. Sorted, distinct. */
export function identitiesOf(side: Side, namespace: string): readonly Identity[] {
  const known = new Map<string, Identity>();
  for (const { tlsMode, identityNamespace, serviceAccount } of side.endpoints) {
    if (tlsMode === 'mesh') known.set(`${identityNamespace}/${serviceAccount}`, { namespace: identityNamespace, serviceAccount });
  }
  // Pods say themselves who they are.
  if (
    side.endpoints.length === 0 &&
    side.path === 'spec.to' &&
    side.config?.rules.tlsMode === 'mesh' &&
    side.config.type !== 'kubernetes'
  ) {
    const { serviceAccount } = side.config.rules;
    known.set(`${namespace}/${serviceAccount}`, { namespace, serviceAccount });
  }
  return [...known].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, identity]) => identity);
}

export function callerAs({ namespace, serviceAccount }: Identity, cluster: string, trustDomain: string): Caller {
  return { principal: principalOf({ trustDomain, namespace, serviceAccount }), namespace, cluster };
}

/** Of a principal as telemetry has it; undefined: none of the mesh. */
export function callerOfPrincipal({ principal, cluster }: { readonly principal: string; readonly cluster: string }): Caller | undefined {
  const id = parseSpiffeId(`spiffe://${principal}`);
  return id === undefined ? undefined : { principal, namespace: id.namespace, cluster };
}

export function authzOf(service: MergedService, view: CatalogView, policies: readonly Policy[]): ServiceAuthz {
  return policies.reduce<ServiceAuthz>((draft, policy) => policy.apply(draft, service, view), { service: service.key, rules: [] });
}

export function isAllowed(authz: ServiceAuthz, caller: Caller): boolean {
  return authorize(authz.rules, caller).allowed;
}

/** What callers are shown instead, and whether it proves anything at all. */
export function checkIdentity(scene: Scene): readonly PreflightCheck[] {
  const { from, to, namespace } = scene;
  const problems = [...tlsProblems(scene), ...peerProblems(from, scene), ...peerProblems(to, scene), ...changed(scene)];
  const names = identitiesOf(to, namespace).map((i) => `${i.namespace}/${i.serviceAccount}`);
  const passed = names.length === 0 ? `neither side speaks mTLS itself: gateways are shown for them` : `${to.label} is ${listText(names)}`;
  return verdict('identity', passed, problems);
}

function modesOf(side: Side): readonly string[] {
  const said = side.endpoints.map((e) => e.tlsMode);
  const modes = said.length === 0 && side.config !== undefined ? [side.config.rules.tlsMode] : said;
  return [...new Set(modes)].sort();
}

function tlsProblems(scene: Scene): Problem[] {
  const { from, to, key } = scene;
  const [old, now] = [modesOf(from), modesOf(to)];
  const problems: Problem[] = [];
  if (now.length > 1) {
    const plain = to.endpoints.filter((e) => e.tlsMode === 'none').map((e) => e.instance);
    const message = `${to.label} has endpoints with mTLS and ${countText(plain.length, 'endpoint')} in the clear: ${someText(plain)}`;
    problems.push(warn('spec.to', message, 'give all of them an agent or sidecar, or none'));
  }
  if (!old.includes('mesh') || !now.includes('none')) return problems;
  const networks = new Set<string>(to.endpoints.map((e) => e.network));
  const near = scene.facts.clients.some((c) => c.kind !== 'gateway' && networks.has(c.network));
  const guards = guardsOf(scene);
  const message = `${from.label} speaks mTLS and ${to.label} does not (tlsMode none)`;
  const fix = `give the new instances an agent or sidecar (spec.mapping.tlsMode: mesh of Registry ${to.registry})`;
  if (guards.length === 0)
    return [...problems, warn('spec.to', `${message}: on its own network what it is sent would be in the clear`, fix)];
  const unguarded = `${message}: on its own network nothing would enforce ${listText(guards)}, which guards ${key}`;
  // Who comes from elsewhere comes by a gateway, which does enforce it.
  return [...problems, near ? fail('spec.to', unguarded, fix) : warn('spec.to', unguarded, fix)];
}

/** Names of the AuthorizationPolicies that select it. */
function guardsOf({ service, facts }: Scene): readonly string[] {
  if (service === undefined) return [];
  const { selectedBy } = authzOf(service, facts.view, facts.policies);
  return selectedBy === undefined ? [] : [...selectedBy.deny, ...selectedBy.allow].map((name) => `AuthorizationPolicy ${name}`);
}

/** What a peer may not present is left out of the catalog without another word. */
function peerProblems(side: Side, { facts, namespace, spec }: Scene): Problem[] {
  const peer = side.local ? undefined : facts.peers.find((p) => p.cluster === side.cluster);
  if (peer === undefined || peer.namespaces.includes('*')) return [];
  const wanted = [...new Set([namespace, ...identitiesOf(side, namespace).map((i) => i.namespace)])].sort();
  const missing = wanted.filter((n) => !peer.namespaces.includes(n));
  if (missing.length === 0) return [];
  const message = `Peer ${side.cluster} may not present ${listText(missing)}: its endpoints of ${namespace}/${spec.service} are not believed`;
  return [
    fail(`${side.path}.cluster`, message, `add ${missing.map((n) => `"${n}"`).join(', ')} to spec.namespaces of Peer ${side.cluster}`),
  ];
}

function changed({ from, to, namespace }: Scene): Problem[] {
  const text = (side: Side) => identitiesOf(side, namespace).map((i) => `${i.namespace}/${i.serviceAccount}`);
  const [old, now] = [text(from), text(to)];
  const added = now.filter((each) => !old.includes(each));
  if (old.length === 0 || added.length === 0) return [];
  const message = `${to.label} has the identity ${listText(added)} and ${from.label} ${listText(old)}: rules by principal tell them apart`;
  return [
    warn('spec.to', message, `run the new instances under ${listText(old)}, or let policies name both (see the check of permissions)`),
  ];
}
