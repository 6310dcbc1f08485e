import { shiftSubset } from '../../../core/config/index.ts';
import type { ServiceKey } from '../../../core/model/index.ts';
import type { ClusterRef, HttpRule, Routing, WeightedDestination } from '../../../core/traffic/index.ts';
import type { CallerTraffic, Finding } from '../../routing/index.ts';
import type { PreflightCheck } from './contract.ts';
import type { Scene } from './scene.ts';
import { fail, type Problem, verdict, warn } from './verdict.ts';
import { durationText, listText, someText } from './words.ts';

/** What people wrote about the service's traffic leaves room for a split, and does not undo it. */
export function checkRules(scene: Scene): readonly PreflightCheck[] {
  const routings = routingsOf(scene);
  const problems = [
    ...ownSubsets(scene, routings),
    ...conflicts(scene),
    ...elsewhere(scene),
    ...timeouts(scene, routings),
    ...hidingRetries(scene, routings),
    ...localities(scene),
  ];
  return verdict('rules', sessions(scene), problems);
}

interface NamedRouting {
  /** Whose: a service, or an ingress gateway. */
  readonly owner: string;
  readonly routing: Routing;
}

/** Rules of any service, and of ingress gateways, may lead to this one. */
function routingsOf({ facts }: Scene): readonly NamedRouting[] {
  const ofServices = [...facts.view.services.keys()].flatMap((key) =>
    [...(facts.traffic.service(key)?.routing.values() ?? [])].map((routing) => ({ owner: key as string, routing })),
  );
  const ofGateways = [...facts.traffic.gateways.values()].flatMap((gateway) =>
    [...gateway.routings.values()].map((routing) => ({ owner: `gateway ${gateway.name}`, routing })),
  );
  return [...ofServices, ...ofGateways];
}

type Destinations = readonly WeightedDestination<ClusterRef>[];

function destinationsOf({ routing }: NamedRouting): readonly { readonly rule: string; readonly to: Destinations }[] {
  const http = routing.virtualHosts.flatMap((host) => host.rules);
  const requests = http.map(({ name, action }) => ({ rule: name, to: action.type === 'route' ? action.destinations : [] }));
  return [...requests, ...routing.l4.map(({ name, destinations }) => ({ rule: name, to: destinations }))];
}

function subsetOf({ cluster }: ClusterRef, host: string): string | undefined {
  const [, , subset = '', named] = cluster.split('|');
  return named === host ? subset : undefined;
}

const ours: readonly string[] = ['', shiftSubset.from, shiftSubset.to];

/** Who names a subset has said which endpoints are meant: that is not split. */
function ownSubsets({ host, key }: Scene, routings: readonly NamedRouting[]): Problem[] {
  const named = new Map<string, Set<string>>();
  for (const { rule, to } of routings.flatMap(destinationsOf)) {
    for (const { destination, weight } of to) {
      const subset = subsetOf(destination, host);
      if (subset === undefined || ours.includes(subset) || (weight === 0 && to.length > 1)) continue;
      named.set(rule, (named.get(rule) ?? new Set()).add(subset));
    }
  }
  return [...named].map(([rule, subsets]) => {
    const message = `rule ${rule} leads to subset ${listText([...subsets].sort())} of ${key}: what it takes stays there, whatever the weight`;
    return fail('spec.service', message, `let it lead to ${key} without a subset while it moves, or move its share by the rule itself`);
  });
}

/** What is found of these is found here by other checks. */
const ofMigrations: readonly string[] = ['Migration', 'TrafficShift'];

/** Errors, and what is not in force because of another, of objects that speak of the service. */
function conflicts(scene: Scene): Problem[] {
  const objects = objectsOf(scene);
  const about = ({ object }: Finding) => !ofMigrations.includes(object.kind) && objects.has(`${object.namespace}/${object.name}`);
  const found = scene.facts.traffic.findings.filter((f) => about(f) && (f.severity === 'error' || f.code === 'conflict'));
  return found.map(({ severity, object, message, path }) => {
    const text = `${object.kind} ${object.namespace}/${object.name}${path === '' ? '' : ` ${path}`}: ${message}`;
    const fix = `mend ${object.kind} ${object.namespace}/${object.name} first: \`isthmus plan\` shows what a change does`;
    return severity === 'error' ? fail('spec.service', text, fix) : warn('spec.service', text, fix);
  });
}

/** NAMESPACE/NAME of routes and DestinationRules that took part in what holds for it. */
function objectsOf({ facts, key }: Scene): ReadonlySet<string> {
  const traffic = facts.traffic.service(key);
  const rules = [...(traffic?.routing.values() ?? [])].flatMap((routing) => destinationsOf({ owner: key, routing }));
  const routes = rules.map(({ rule }) => rule.split('/').slice(0, 2).join('/'));
  const policies = [traffic, ...(traffic?.callers.values() ?? [])].flatMap((t?: CallerTraffic) => t?.rules ?? []);
  const named = facts.objects.filter((o) => hostsOf(o).some((host) => speaksOf(host, o.namespace, key, facts.hostSuffix)));
  return new Set([...routes, ...policies, ...named.map((o) => `${o.namespace}/${o.name}`)]);
}

function hostsOf(object: Scene['facts']['objects'][number]): readonly string[] {
  if (object.kind === 'DestinationRule' || object.kind === 'HealthCheckPolicy') return [object.spec.host];
  return object.kind === 'VirtualService' ? object.spec.hosts : [];
}

function speaksOf(host: string, namespace: string, key: ServiceKey, suffix: string): boolean {
  const [name = '', space = '', ...rest] = host.split('.');
  const known = ['', suffix, 'svc.cluster.local', 'svc.clusterset.local', 'svc'].includes(rest.join('.'));
  return known && `${space === '' ? namespace : space}/${name}` === key;
}

/** Rules that keep what is asked of the service away from it. */
function elsewhere({ facts, key, host }: Scene): Problem[] {
  const routings = [...(facts.traffic.service(key)?.routing.values() ?? [])];
  const rules = routings.flatMap((routing) => routing.virtualHosts.flatMap((h) => h.rules));
  const away = rules.filter((rule) => leadsAway(rule, host)).map((rule) => rule.name);
  const faults = rules.filter((rule) => rule.fault !== undefined).map((rule) => rule.name);
  const problems: Problem[] = [];
  if (away.length > 0) {
    const message = `rules ${someText(away)} answer themselves or lead to other services: what they take is not moved`;
    problems.push(warn('spec.service', message, 'see that the gates have enough of the rest'));
  }
  if (faults.length > 0) {
    const message = `rules ${someText(faults)} inject faults, which are on both sides and in what is measured`;
    problems.push(warn('spec.gates', message, 'take them away before the start'));
  }
  return problems;
}

function leadsAway({ action }: HttpRule<ClusterRef>, host: string): boolean {
  return action.type !== 'route' || action.destinations.every(({ destination }) => subsetOf(destination, host) === undefined);
}

/** A limit above the time-out is never broken: whatever is slower is an error by then. */
function timeouts({ spec, host }: Scene, routings: readonly NamedRouting[]): Problem[] {
  const rules = routings.flatMap(({ routing }) => routing.virtualHosts.flatMap((h) => h.rules));
  const bounds = rules.flatMap(({ name, action }) => {
    if (action.type !== 'route' || (action.timeoutMs ?? 0) === 0) return [];
    return action.destinations.some((d) => subsetOf(d.destination, host) !== undefined) ? [{ name, ms: action.timeoutMs ?? 0 }] : [];
  });
  const shortest = bounds.sort((a, b) => a.ms - b.ms)[0];
  if (shortest === undefined) return [];
  return spec.gates.flatMap((gate, i) => {
    if (gate.type !== 'latency' || gate.maxMs === undefined || gate.maxMs < shortest.ms) return [];
    const message = `gate ${gate.name} allows ${durationText(gate.maxMs)}, and rule ${shortest.name} ends requests after ${durationText(shortest.ms)}: they count as errors and never as too slow`;
    return [warn(`spec.gates[${i}].max`, message, `set max below ${durationText(shortest.ms)}`)];
  });
}

/** Of what the new side may well do to each request: who cannot be reached is tried elsewhere in any case. */
const answers: readonly string[] = [
  '5xx',
  'gateway-error',
  'retriable-status-codes',
  'reset',
  'unavailable',
  'internal',
  'deadline-exceeded',
];

/** Gates count a request by what its caller got in the end. */
function hidingRetries({ spec, host }: Scene, routings: readonly NamedRouting[]): Problem[] {
  const gate = spec.gates.findIndex(({ type }) => type === 'error-rate');
  const rules = routings.flatMap(({ routing }) => routing.virtualHosts.flatMap((h) => h.rules));
  const hiding = rules.filter(({ action }) => {
    if (action.type !== 'route' || (action.retries?.attempts ?? 0) === 0) return false;
    const leadsHere = action.destinations.some((d) => subsetOf(d.destination, host) !== undefined);
    return leadsHere && action.retries?.on.some((condition) => answers.includes(condition)) === true;
  });
  if (gate < 0 || hiding.length === 0) return [];
  const message = `rules ${someText([...new Set(hiding.map(({ name }) => name))])} try requests again that the service failed: a failure of the new side that a retry makes good is no error to the gates, and is seen in latency and load alone`;
  return [warn(`spec.gates[${gate}]`, message, 'set max well below what the retries can hide, or take them away while it moves')];
}

function localities({ facts, key }: Scene): Problem[] {
  const policies = [...(facts.traffic.service(key)?.policies.values() ?? [])];
  if (!policies.some((p) => (p.locality?.distribute.length ?? 0) > 0)) return [];
  const message = `a DestinationRule distributes ${key} over localities: the shares hold within each side, whatever localities it has`;
  return [warn('spec.service', message, 'see that the new side has endpoints in the localities that it names')];
}

function sessions({ facts, key }: Scene): string {
  const policies = [...(facts.traffic.service(key)?.policies.values() ?? [])];
  const hash = policies.map((p) => p.traffic?.loadBalancer).find((lb) => lb?.type === 'hash');
  if (hash === undefined) return 'no rule stands in the way of a split';
  return 'no rule stands in the way of a split; sessions are kept by a hash, so each changes its side once at most';
}
