import type { PlanRequest } from '../../core/admin/index.ts';
import { appliableKinds, type ConfigObject } from '../../core/config/index.ts';
import { accept, type Checked, reject } from '../../core/validate.ts';
import { type ConfigDocument, violation } from '../../core/yaml/index.ts';
import type { ObjectsApi } from '../admin/index.ts';
import { foreignPrincipals, type LoadedConfig, parseObject } from '../config/index.ts';
import {
  type AppliableObject,
  type ClientFacts,
  type FileObject,
  listObjects,
  makePlan,
  namespacesOf,
  type Objects,
  type ObjectView,
  type ParseDocument,
  plaintextFindings,
  type Reported,
  revisionDetail,
  revisionSummary,
  type TrafficSeen,
} from '../objects/index.ts';
import type { PlaintextCall, Policy } from '../policy/index.ts';
import { findingsOf, type SnapshotInputs } from '../snapshot/index.ts';
import type { XdsClientStatus } from '../xds/index.ts';

const kinds: ReadonlySet<string> = new Set([...appliableKinds.map((k) => k.kind), 'TrafficShift']);

function isAppliable(object: ConfigObject): object is AppliableObject {
  return kinds.has(object.kind);
}

/** As the configuration files are parsed, but for the kinds that belong to one control plane. */
export const parserFor = (trustDomain: string, federated: () => readonly string[] = () => []): ParseDocument =>
  parser(trustDomain, 'people', federated);

/**
 * For what was accepted once, or is written elsewhere: it may name trust domains with which nobody here is federated any more. A policy
 * that is refused for that would no longer guard anything.
 */
export const storedParserFor = (trustDomain: string): ParseDocument => parser(trustDomain, 'people', () => 'any');

/** For what control planes write: with the kinds that no people write. */
export const sharedParserFor = (trustDomain: string): ParseDocument => parser(trustDomain, 'control-planes', () => 'any');

const parser =
  (trustDomain: string, by: 'people' | 'control-planes', federated: () => readonly string[] | 'any'): ParseDocument =>
  (document) => {
    const { located, violations } = parseObject(document, '/', by);
    if (located === undefined) return reject(violations);
    const foreign = foreignPrincipals([located], trustDomain, federated());
    return foreign.length > 0 ? reject(foreign) : appliable(located);
  };

function appliable(located: { readonly object: ConfigObject; readonly document: ConfigDocument }): Checked<AppliableObject> {
  if (isAppliable(located.object)) return accept(located.object);
  return reject([
    violation(
      located.document,
      ['kind'],
      `${located.object.kind} belongs in the configuration files of the control plane: it is not applied`,
    ),
  ]);
}

/** Those of the configuration files that could be applied as well. */
export function fileObjects({ documents }: LoadedConfig): readonly FileObject[] {
  return documents.flatMap(({ object, document }) => (isAppliable(object) ? [{ object, document }] : []));
}

/** What of the rest of the control plane is told with the objects. */
export interface ObjectSurroundings {
  /** As served now. */
  readonly inputs: () => SnapshotInputs;
  readonly policiesOf: (view: ObjectView) => readonly Policy[];
  readonly clients: () => readonly XdsClientStatus[];
  readonly network: string;
  readonly peers: () => readonly string[];
  /** Absent: nobody counts requests here. */
  readonly trafficSeen?: TrafficSeen;
  /** Who called in the clear within the last hour. Absent: nobody asks. */
  readonly plaintextSeen?: () => readonly PlaintextCall[];
}

/** What the API asks of the objects. */
export function objectsApi(objects: Objects, around: ObjectSurroundings): ObjectsApi {
  const { applied } = objects;
  /** Does it, and says beforehand whom it would cut off. */
  const warned = async (request: PlanRequest, change: () => ReturnType<Objects['apply']>): ReturnType<Objects['apply']> => {
    const warnings = await plaintextWarnings(request, objects, around);
    const checked = await change();
    if (!checked.ok || warnings.length === 0) return checked;
    return accept({ ...checked.value, value: { ...checked.value.value, warnings: [...warnings] } });
  };
  const findings = (): readonly Reported[] => findingsOf(around.inputs());
  return {
    namespacesOf,
    namespacesSince: async (revision) => {
      const state = await applied.refresh();
      return namesOf((await applied.stepBack(state, revision)).map((c) => c.key));
    },
    kindsSince: async (revision) => {
      const state = await applied.refresh();
      return (await applied.stepBack(state, revision)).map((c) => c.key.split('/')[1] ?? '');
    },
    namespacesWaiting: async () => {
      const { tentative } = (await applied.refresh()).head;
      return tentative === undefined ? [] : (await applied.revision(tentative.revision)).namespaces;
    },
    apply: (request, by) => warned(request, () => objects.apply(request, by)),
    delete: (request, by) => warned({ files: [], delete: request.objects }, () => objects.delete(request, by)),
    rollback: (request, by) => warned({ files: [], rollback: request.revision }, () => objects.rollback(request, by)),
    confirm: (revision) => objects.confirm(revision),
    plan: async (request) => {
      const proposed = await objects.propose(request);
      if (!proposed.ok) return proposed;
      const { inputs, policiesOf, clients, network, peers, trafficSeen } = around;
      const { view: then, changes, waiting } = proposed.value;
      const facts = clients().map(factsOf);
      const given = {
        inputs: inputs(),
        now: objects.set.current(),
        then,
        policiesOf,
        clients: facts,
        network,
        peers: peers(),
        flows: trafficSeen?.flows(),
        plaintext: around.plaintextSeen?.() ?? [],
      };
      return accept({ ...makePlan(given, changes), ...(waiting === undefined ? {} : { waiting }) });
    },
    list: async (filter) => ({ objects: listObjects(objects.set, findings(), filter) }),
    history: async (limit, before) => {
      const { revision: newest, first: oldest } = (await applied.refresh()).head;
      const from = Math.min(newest, before === undefined ? newest : before - 1);
      const revisions = [];
      for (let number = from; number >= oldest && revisions.length < limit; number--) {
        revisions.push(revisionSummary(await applied.revision(number)));
      }
      return { revisions, newest, oldest };
    },
    revision: async (number) => revisionDetail(await applied.revision(number), await applied.changes(number)),
  };
}

function factsOf(client: XdsClientStatus): ClientFacts {
  const { id, identity, cluster, network, locality, labels } = client;
  return { id, kind: client.kind === 'ingress' && client.claimsOwn ? 'agent' : client.kind, identity, cluster, network, locality, labels };
}

function namesOf(keys: readonly string[]): string[] {
  return [...new Set(keys.map((key) => key.split('/')[2] ?? ''))];
}

/** Of changes that can be about callers in the clear, while there are any; others cost nothing. */
async function plaintextWarnings(request: PlanRequest, objects: Objects, around: ObjectSurroundings): Promise<readonly string[]> {
  const { files, namespace, scope, delete: gone, rollback } = request;
  const concerned =
    rollback !== undefined ||
    files.some(({ text }) => text.includes('PeerAuthentication')) ||
    (gone ?? []).some(({ kind }) => kind === 'PeerAuthentication');
  const calls = concerned ? (around.plaintextSeen?.() ?? []) : [];
  if (calls.length === 0) return [];
  const what = { files, ...(gone === undefined ? {} : { delete: gone }), ...(rollback === undefined ? {} : { rollback }) };
  const where = { ...(namespace === undefined ? {} : { namespace }), ...(scope === undefined ? {} : { scope }) };
  const proposed = await objects.propose({ ...what, ...where });
  // What is wrong with it is said by the change itself.
  if (!proposed.ok) return [];
  const inputs = around.inputs();
  const as = (view: ObjectView): SnapshotInputs => ({ ...inputs, policies: around.policiesOf(view) });
  return plaintextFindings(calls, as(objects.set.current()), as(proposed.value.view)).map(({ message }) => message);
}
