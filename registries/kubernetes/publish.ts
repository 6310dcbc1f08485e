import { MeshError } from '../../core/errors.ts';
import {
  type AdapterDeps,
  type OwningPublisher,
  ownerKey,
  ownerOf,
  type PublishedService,
  type PublishResult,
} from '../../core/registry/index.ts';
import { type ApiAnswer, defaultClientLimits, KubernetesClient, refusal, statusMessage, statusReason } from './client.ts';
import { KubernetesAccess, type KubernetesSpec } from './config.ts';
import { listAll } from './list.ts';
import { createKubernetesNativeNames } from './native-names.ts';
import { nativeNameLabel, type ObjectName, objectKey } from './objects.ts';
import { pathOf } from './paths.ts';
import {
  bodyOf,
  buildObjects,
  isWritten,
  type LiveObject,
  type PublishedKind,
  projectLive,
  type WantedObject,
} from './published-objects.ts';
import { defaultReflectorLimits } from './reflector.ts';

/**
 * Publishes imported services as Services `NAME-mesh` without a selector, in the namespace of their name, with EndpointSlices of the
 * gateways. Every object carries the owner's label, and only such are ever changed or removed. Rights: the ClusterRole
 * `isthmus-publish`. Calls are made one after another; one that fails leaves what was written, which the next one completes.
 */
export function createKubernetesPublisher(spec: KubernetesSpec, deps: AdapterDeps): OwningPublisher {
  const owner = ownerOf(deps.cluster, deps.id);
  const natives = createKubernetesNativeNames(spec, deps);
  const during = async <T>(run: (writer: Writer) => Promise<T>, signal: AbortSignal): Promise<T> => {
    const client = new KubernetesClient(new KubernetesAccess(spec.connection), defaultClientLimits);
    try {
      return await run(new Writer(client, spec.connection.namespaces, owner, signal));
    } finally {
      await client.close();
    }
  };
  return {
    id: deps.id,
    reconcile: (services, signal) => during((writer) => writer.reconcile(services), signal),
    listOwned: (signal) => during((writer) => writer.listOwned(), signal),
    removeAll: async (signal) => {
      const restored = await natives.restoreAll(signal);
      const { written, removed, conflicts } = await during((writer) => writer.reconcile([]), signal);
      return { written, removed: removed + restored.length, conflicts: [...conflicts, ...restored.flatMap(({ problems }) => problems)] };
    },
  };
}

/** One call of the publisher. */
class Writer {
  readonly #client: KubernetesClient;
  readonly #namespaces: readonly string[];
  readonly #owner: string;
  readonly #signal: AbortSignal;
  #written = 0;
  #removed = 0;

  constructor(client: KubernetesClient, namespaces: readonly string[], owner: string, signal: AbortSignal) {
    this.#client = client;
    this.#namespaces = namespaces;
    this.#owner = owner;
    this.#signal = signal;
  }

  async reconcile(services: readonly PublishedService[]): Promise<PublishResult> {
    // What stands under services' own names is another matter.
    const published = (await this.#readOwned()).filter(({ labels }) => labels[nativeNameLabel] === undefined);
    const owned = new Map(published.map((live) => [keyOf(live), live]));
    const conflicts: string[] = [];
    const kept = new Set<string>();
    for (const service of services) {
      for (const object of buildObjects(service, this.#owner)) {
        const live = owned.get(keyOf(object));
        const conflict = await this.#write(object, live);
        // What is ours already stays as it is while its change is refused.
        if (conflict === undefined || live !== undefined) kept.add(keyOf(object));
        if (conflict === undefined) continue;
        conflicts.push(conflict);
        // Slices under a name that another has would send that Service's callers to our gateways.
        if (object.kind === 'Service' && live === undefined) break;
      }
    }
    // Names go first: one without endpoints would be an outage, not an absence.
    const leftovers = [...owned.values()].filter((live) => !kept.has(keyOf(live)));
    for (const live of leftovers.sort((a, b) => (a.kind === b.kind ? 0 : a.kind === 'Service' ? -1 : 1))) await this.#remove(live);
    return { written: this.#written, removed: this.#removed, conflicts };
  }

  async listOwned(): Promise<readonly string[]> {
    return (await this.#readOwned()).map((live) => `Kubernetes ${live.kind} ${objectKey(live)}`).sort();
  }

  async #readOwned(): Promise<LiveObject[]> {
    const owned: LiveObject[] = [];
    const query = { labelSelector: `${ownerKey}=${this.#owner}` };
    for (const namespace of this.#namespaces.length === 0 ? [''] : this.#namespaces) {
      for (const kind of ['Service', 'EndpointSlice'] as const) {
        const project = (raw: unknown) => projectLive(kind, raw);
        const path = pathOf(kind, namespace);
        owned.push(...(await listAll(this.#client, path, query, defaultReflectorLimits, project, this.#signal)).items);
      }
    }
    return owned;
  }

  /** What stands in the way of the object, if anything does. */
  async #write(wanted: WantedObject, live: LiveObject | undefined): Promise<string | undefined> {
    if (live !== undefined && isWritten(wanted, live)) return undefined;
    if (this.#namespaces.length > 0 && !this.#namespaces.includes(wanted.namespace)) {
      return `${objectKey(wanted)}: namespace ${wanted.namespace} is none of connection.namespaces: add it there, or do not import the service`;
    }
    const collection = pathOf(wanted.kind, wanted.namespace);
    const [method, path] = live === undefined ? (['POST', collection] as const) : (['PUT', `${collection}/${wanted.name}`] as const);
    const answer = await this.#client.send(method, path, { body: bodyOf(wanted, live) }, this.#signal);
    if (answer.status === 200 || answer.status === 201) {
      this.#written += 1;
      return undefined;
    }
    if (method === 'POST' && answer.status === 409) return this.#takenBy(wanted, `${collection}/${wanted.name}`);
    return conflictOf(wanted, method, answer) ?? raise(refusal(method, path, answer));
  }

  /** A name that is not ours to write. Rejects when it is free again or ours meanwhile: then the next try finds it so. */
  async #takenBy(wanted: WantedObject, path: string): Promise<string> {
    const live = projectLive(wanted.kind, await this.#client.get(path, {}, this.#signal));
    const holder = live?.labels[ownerKey];
    if (live === undefined || holder === this.#owner) {
      throw new MeshError('CONFLICT', `${wanted.kind} ${objectKey(wanted)} changed meanwhile: it is read again`, { retryable: true });
    }
    const who = holder === undefined ? 'not by Isthmus' : `by Isthmus of ${holder}`;
    return `${wanted.kind} ${objectKey(wanted)} exists, made ${who}: not published; delete that or rename the service where it is exported`;
  }

  async #remove(live: LiveObject): Promise<void> {
    const path = `${pathOf(live.kind, live.namespace)}/${live.name}`;
    // What somebody replaced since it was read may no longer be ours.
    const { uid, resourceVersion } = live;
    const answer = await this.#client.send('DELETE', path, { body: { preconditions: { uid, resourceVersion } } }, this.#signal);
    if (answer.status === 404) return;
    if (answer.status >= 300) throw refusal('DELETE', path, answer);
    this.#removed += 1;
  }
}

/** Refusals that concern this object alone, and that somebody must do something about. */
function conflictOf(wanted: WantedObject, method: string, answer: ApiAnswer): string | undefined {
  const { namespace, kind } = wanted;
  const said = statusMessage(answer.body);
  if (answer.status === 404 && method === 'POST') {
    return `${objectKey(wanted)}: namespace ${namespace} does not exist: create it (kubectl create namespace ${namespace}), or do not import the service`;
  }
  if (answer.status === 403 && /being terminated/.test(said)) {
    return `${objectKey(wanted)}: namespace ${namespace} is being deleted: create it again, or do not import the service`;
  }
  if (answer.status === 422 || statusReason(answer.body) === 'Invalid') {
    return `${kind} ${objectKey(wanted)} is refused (${said}): rename the service where it is exported, or check the gateways' addresses`;
  }
  return undefined;
}

function raise(error: MeshError): never {
  throw error;
}

function keyOf(object: ObjectName & { readonly kind: PublishedKind }): string {
  return `${object.kind} ${objectKey(object)}`;
}
