import type { ChangeResult, Plan, ServicePlan } from '../../../core/admin/index.ts';
import type { TrafficObject } from '../../../core/config/index.ts';
import { networkId, principalOf, type ServiceKey } from '../../../core/model/index.ts';
import { authorize, type PolicyFinding } from '../../policy/index.ts';
import { createTrafficCompiler } from '../../routing/index.ts';
import {
  type ClientClass,
  compileAuthz,
  compiledCheck,
  createSnapshotBuilder,
  findingsOf,
  type SnapshotInputs,
} from '../../snapshot/index.ts';
import type { ObjectView, OwnedObject } from '../contract.ts';
import { isTrafficObject } from '../traffic-object.ts';
import { type ClientFacts, classOf, classText, namespaceOf } from './client-facts.ts';
import { compareCallers, knownCallers } from './compare-callers.ts';
import { compareModels, emptyPlan } from './compare-models.ts';
import { type ClassChange, compareSnapshots, joinChanges } from './compare-snapshots.ts';
import { compareSight, hiddenFlows, type Sight } from './compare-visibility.ts';
import type { PlanInputs, SeenFlow } from './contract.ts';
import { plaintextFindings } from './plaintext-findings.ts';

/** Each is a snapshot made twice. Clients past it are judged by the classes that were looked at. */
const mostClasses = 64;
const shownClients = 1000;

/**
 * Pure: what would change with other objects in force, on compiler and builder of its own: nothing that is served is touched. Costs
 * one snapshot of each class of connected clients, and what the change touches.
 */
export function makePlan(given: PlanInputs, objects: ChangeResult['objects']): Plan {
  const { inputs, now, then, policiesOf, clients, flows } = given;
  const compiler = createTrafficCompiler({ hostSuffix: inputs.hostSuffix, check: compiledCheck });
  const before: SnapshotInputs = { ...inputs, traffic: compiler.update(trafficIn(now), inputs.view), policies: policiesOf(now) };
  const traffic = compiler.update(trafficIn(then), inputs.view, new Set());
  const after: SnapshotInputs = { ...inputs, traffic, policies: policiesOf(then) };
  const apart = (namespace: string) => before.traffic.differsFor(namespace) || traffic.differsFor(namespace);
  const classed = clients.map((client) => [client, classOf(client, apart)] as const);
  const own: ClientClass = { kind: 'agent', network: networkId(given.network) };
  const changes = classChanges(before, after, classed.length === 0 ? [own] : distinct(classed.map(([, c]) => c)));
  const callers = compareCallers(before, after, knownCallers(inputs.view, inputs.trust.trustDomain, clients, flows ?? []));
  const services = joinServices(compareModels(before.traffic, after.traffic), changes, callers);
  const sight = compareSight(before, after);
  const touched = touchedClients(classed, changes, { before, after, sight });
  const meshObjects = sharedChanges(now, then);
  const cut = [
    ...cutOff(flows ?? [], before, after, then),
    ...hiddenFlows(flows ?? [], clients, sight, after),
    ...plaintextFindings(given.plaintext, before, after),
  ];
  const [found, known] = [findingsOf(after), findingsOf(before)];
  return {
    objects,
    services,
    clients: touched.slice(0, shownClients),
    clientsTouched: touched.length,
    clientsConnected: clients.length,
    meshObjects,
    otherClusters: meshObjects === 0 ? [] : [...given.peers].sort(),
    findings: [...missingIn(found, known), ...cut],
    resolved: missingIn(known, found),
    trafficKnown: flows !== undefined,
  };
}

/** How many objects of scope mesh come, go or differ; one that leaves or enters the scope is one too. */
function sharedChanges(now: ObjectView, then: ObjectView): number {
  const shared = (o: OwnedObject | undefined) => o !== undefined && 'scope' in o.object && o.object.scope === 'mesh';
  const keys = new Set([...now.objects.keys(), ...then.objects.keys()]);
  return [...keys].filter((key) => {
    const [was, willBe] = [now.objects.get(key), then.objects.get(key)];
    return was !== willBe && (shared(was) || shared(willBe));
  }).length;
}

function trafficIn(view: ObjectView): TrafficObject[] {
  return [...view.objects.values()].map((o) => o.object).filter(isTrafficObject);
}

function distinct(classes: readonly ClientClass[]): ClientClass[] {
  return [...new Map(classes.map((c) => [classText(c), c])).values()].slice(0, mostClasses);
}

function classChanges(before: SnapshotInputs, after: SnapshotInputs, classes: readonly ClientClass[]): ClassChange[] {
  const builder = createSnapshotBuilder();
  builder.update(before);
  const old = classes.map((c) => builder.snapshot(c));
  builder.update(after, new Set());
  return old.map((snapshot) => compareSnapshots(snapshot, builder.snapshot(snapshot.client)));
}

function joinServices(
  models: ReadonlyMap<string, ServicePlan>,
  changes: readonly ClassChange[],
  callers: ReadonlyMap<ServiceKey, ServicePlan['callers']>,
): ServicePlan[] {
  const plans = new Map(models);
  const at = (name: string) => plans.get(name) ?? emptyPlan(name);
  for (const { endpoints } of changes) {
    for (const [owner, list] of endpoints) plans.set(owner, { ...at(owner), endpoints: [...at(owner).endpoints, ...list] });
  }
  for (const [key, list] of callers) plans.set(key, { ...at(key), callers: list });
  return [...plans.values()]
    .map((plan) => ({ ...plan, endpoints: joinChanges(plan.endpoints) }))
    .filter(({ routes, policies, endpoints, callers: c }) => routes.length + policies.length + endpoints.length + c.length > 0)
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

interface Compared {
  readonly before: SnapshotInputs;
  readonly after: SnapshotInputs;
  readonly sight: (client: ClientFacts) => Sight;
}

/** A caller hears of what it may call and its Sidecar shows it, before or after, and of what it serves itself; a gateway of everything. */
function touchedClients(
  clients: readonly (readonly [ClientFacts, ClientClass])[],
  changes: readonly ClassChange[],
  { before, after, sight }: Compared,
): Plan['clients'] {
  const byClass = new Map(changes.map((c) => [classText(c.client), c]));
  const rules = new Map<string, readonly ReturnType<typeof compileAuthz>[]>();
  const hears = (client: ClientFacts, owner: string): boolean => {
    const service = after.view.services.get(owner as ServiceKey);
    if (client.kind !== 'agent' || service === undefined) return true;
    const both = rules.get(owner) ?? [compileAuthz(service, before), compileAuthz(service, after)];
    rules.set(owner, both);
    const principal = client.identity.slice('spiffe://'.length);
    const namespace = namespaceOf(client);
    const allowed = both.some((authz) => authorize(authz.rules, { principal, namespace, cluster: client.cluster }).allowed);
    if (allowed && sight(client).hearsOf(service.key)) return true;
    const { trustDomain } = after.trust;
    return service.endpoints.some(
      (e) => principalOf({ trustDomain, namespace: e.identityNamespace, serviceAccount: e.serviceAccount }) === principal,
    );
  };
  return clients.flatMap(([client, of]) => {
    const owners = byClass.get(classText(of))?.owners ?? new Set<string>();
    const { gained, lost } = sight(client);
    const [seen, hidden] = [gained, lost].map((list) => list.filter((service) => hears(client, service)).sort());
    const services = [...new Set([...[...owners].filter((owner) => hears(client, owner)), ...(seen ?? []), ...(hidden ?? [])])].sort();
    if (services.length === 0) return [];
    return [{ id: client.id, kind: client.kind, network: client.network, services, seen: seen ?? [], hidden: hidden ?? [] }];
  });
}

type PlanFinding = Plan['findings'][number];

function missingIn(all: readonly PolicyFinding[], others: readonly PolicyFinding[]): PlanFinding[] {
  const shown = ({ object, severity, code, path, message }: PolicyFinding): PlanFinding => ({
    severity,
    code,
    path,
    message,
    object: `${object.kind} ${object.namespace}/${object.name}`,
  });
  const known = new Set(others.map((f) => JSON.stringify(shown(f))));
  return all.map(shown).filter((f) => !known.has(JSON.stringify(f)));
}

/** Traffic that was seen and would be refused. */
function cutOff(flows: readonly SeenFlow[], before: SnapshotInputs, after: SnapshotInputs, then: ObjectView): PlanFinding[] {
  return flows.flatMap(({ source, destination, requests, lastAt }): PlanFinding[] => {
    const service = after.view.services.get(destination);
    if (service === undefined) return [];
    const [, namespace = ''] = /\/ns\/([^/]+)\/sa\//.exec(source.principal) ?? [];
    const decide = (inputs: SnapshotInputs) => authorize(compileAuthz(service, inputs).rules, { ...source, namespace });
    const now = decide(after);
    if (now.allowed || !decide(before).allowed) return [];
    const message = `would cut off ${source.principal} of ${source.cluster}, which called ${destination} ${requests} times in the last hour, last at ${new Date(lastAt).toISOString()}`;
    const [, policyNamespace = '', policy = ''] = /^ns\[([^\]]+)\]-policy\[([^\]]+)\]/.exec(now.rule?.name ?? '') ?? [];
    const known = [...then.objects.values()].some((o) => o.ref.name === policy && o.ref.namespace === policyNamespace);
    return [
      {
        severity: 'error',
        code: 'policy-cuts-traffic',
        path: '',
        message,
        object: known ? `AuthorizationPolicy ${policyNamespace}/${policy}` : destination,
      },
    ];
  });
}
