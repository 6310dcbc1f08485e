import {
  type AdapterDeps,
  isExcluded,
  type NativeNameResult,
  type NativeNames,
  nameService,
  ownerKey,
  ownerOf,
  type SwitchedService,
} from '../../core/registry/index.ts';
import { defaultClientLimits, KubernetesClient, refusal, statusMessage } from './client.ts';
import { KubernetesAccess, type KubernetesSpec } from './config.ts';
import { type Fields, fieldsOf, listIn } from './fields.ts';
import { listAll } from './list.ts';
import { gatewaySlices, givenBack, selectorOf, standIn, standInName, takenOver, takeoverOf, uncoveredPorts } from './native-objects.ts';
import { nativeNameLabel, objectKey, serviceNameLabel } from './objects.ts';
import { pathOf } from './paths.ts';
import { bodyOf, isWritten, type LiveObject, type PublishedKind, projectLive, type WantedObject } from './published-objects.ts';
import { defaultReflectorLimits } from './reflector.ts';

interface Name {
  readonly namespace: string;
  readonly name: string;
}

/** How often, and how far apart in ms, the controllers are given to follow a changed selector. */
const looks = 100;
const lookMs = 100;

/**
 * A service's own name in Kubernetes: the gateways are an EndpointSlice of its Service, and the originals leave it as its selector does, which
 * an annotation keeps. What they were is selected by another Service, so that the mesh goes on knowing them. Nobody's change is overwritten:
 * each write names the version that it is of. Rights: the ClusterRole `isthmus-publish`.
 */
export function createKubernetesNativeNames(spec: KubernetesSpec, deps: AdapterDeps): NativeNames {
  const owner = ownerOf(deps.cluster, deps.id);
  const during = async <T>(run: (round: Round) => Promise<T>, signal: AbortSignal): Promise<T> => {
    const client = new KubernetesClient(new KubernetesAccess(spec.connection), defaultClientLimits);
    try {
      return await run(new Round(client, spec, deps, owner, signal));
    } finally {
      await client.close();
    }
  };
  return {
    switch: (service, signal) => during((round) => round.switch(service), signal),
    restore: (service, signal) => during((round) => round.restore(service), signal),
    restoreAll: (signal) => during((round) => round.restoreAll(), signal),
  };
}

class Round {
  readonly #client: KubernetesClient;
  readonly #spec: KubernetesSpec;
  readonly #deps: AdapterDeps;
  readonly #owner: string;
  readonly #signal: AbortSignal;
  readonly #problems: string[] = [];

  constructor(client: KubernetesClient, spec: KubernetesSpec, deps: AdapterDeps, owner: string, signal: AbortSignal) {
    this.#client = client;
    this.#spec = spec;
    this.#deps = deps;
    this.#owner = owner;
    this.#signal = signal;
  }

  async switch(service: SwitchedService): Promise<NativeNameResult> {
    const [natives, ours] = await Promise.all([this.#natives(service), this.#ours(service)]);
    const wanted = natives.map((native) => ({ native, slices: gatewaySlices(native, service, this.#owner) }));
    const problem = whyNot(
      service,
      natives,
      wanted.flatMap(({ slices }) => slices),
    );
    // What stands stays: nobody is better off with less.
    if (problem !== undefined) return this.#result(service, natives, [problem]);
    const kept = new Set<string>();
    for (const { native, slices } of wanted) {
      let stands = slices.length > 0;
      for (const slice of slices) {
        kept.add(objectKey(slice));
        const live = ours.find((each) => each.kind === 'EndpointSlice' && objectKey(each) === objectKey(slice));
        stands = (await this.#put(slice, live)) && stands;
      }
      if (!service.drainOriginals) await this.#giveBack(native);
      else await this.#takeOver(native, service, stands);
    }
    for (const live of ours) if (live.kind === 'EndpointSlice' && !kept.has(objectKey(live))) await this.#remove(live);
    return this.#result(service, await this.#natives(service), this.#problems);
  }

  async restore(service: Name): Promise<NativeNameResult> {
    const natives = await this.#natives(service);
    let stuck = false;
    for (const native of natives) stuck = !(await this.#giveBack(native)) || stuck;
    // Whoever calls by name must find somebody: gateways go once the originals are back.
    if (!stuck) for (const live of await this.#ours(service)) await this.#remove(live);
    return this.#result(service, await this.#natives(service), this.#problems);
  }

  async restoreAll(): Promise<readonly NativeNameResult[]> {
    const names = new Set(
      (await this.#list('EndpointSlice', { labelSelector: `${ownerKey}=${this.#owner},${nativeNameLabel}` })).map(meshNameOf),
    );
    const results: NativeNameResult[] = [];
    for (const key of names) {
      const [namespace = '', name = ''] = key.split('.');
      results.push(await this.restore({ namespace, name }));
    }
    return results;
  }

  /** The Services that the Registry's rules make the mesh service. */
  async #natives({ namespace, name }: Name): Promise<LiveObject[]> {
    const { rules } = this.#spec;
    const renamed = Object.entries(rules.rename).flatMap(([native, mesh]) => (mesh === name ? [native] : []));
    const candidates = new Set([...(Object.hasOwn(rules.rename, name) ? [] : [name]), ...renamed]);
    const found: LiveObject[] = [];
    for (const candidate of candidates) {
      for (const live of await this.#list('Service', { fieldSelector: `metadata.name=${candidate}` })) {
        if (live.labels[ownerKey] !== undefined) continue;
        const named = nameService({ name: live.name, nativeNamespace: live.namespace, meta: live.labels, tags: [] }, rules);
        if (!isExcluded(named) && named.namespace === namespace && named.name === name) found.push(live);
      }
    }
    return found.sort((a, b) => (objectKey(a) < objectKey(b) ? -1 : 1));
  }

  /** What this owner made for the service: slices of gateways, and Services of originals. Not what controllers made for those. */
  async #ours({ namespace, name }: Name): Promise<LiveObject[]> {
    const query = { labelSelector: `${ownerKey}=${this.#owner},${nativeNameLabel}=${namespace}.${name}` };
    const slices = (await this.#list('EndpointSlice', query)).filter(
      (live) => !(live.labels[serviceNameLabel] ?? '').endsWith(standInName('')),
    );
    return [...(await this.#list('Service', query)), ...slices];
  }

  async #list(kind: PublishedKind, query: Readonly<Record<string, string>>): Promise<LiveObject[]> {
    const scopes = this.#spec.connection.namespaces.length === 0 ? [''] : this.#spec.connection.namespaces;
    const all: LiveObject[] = [];
    for (const namespace of scopes) {
      const project = (raw: unknown) => projectLive(kind, raw);
      all.push(...(await listAll(this.#client, pathOf(kind, namespace), query, defaultReflectorLimits, project, this.#signal)).items);
    }
    return all;
  }

  /** False: it is not as it should be, which is said. */
  async #put(wanted: WantedObject, live: LiveObject | undefined): Promise<boolean> {
    if (live !== undefined && isWritten(wanted, live)) return true;
    return this.#write(wanted.kind, wanted, bodyOf(wanted, live), live === undefined);
  }

  /** False: somebody else was there first, which is said. Rejects for what is refused. */
  async #write(kind: PublishedKind, { namespace, name }: Name, body: Fields, made: boolean): Promise<boolean> {
    const collection = pathOf(kind, namespace);
    const [method, path] = made ? (['POST', collection] as const) : (['PUT', `${collection}/${name}`] as const);
    const answer = await this.#client.send(method, path, { body }, this.#signal);
    if (answer.status === 200 || answer.status === 201) return true;
    if (answer.status !== 409 && answer.status !== 422) throw refusal(method, path, answer);
    const said = statusMessage(answer.body);
    this.#problems.push(`${kind} ${namespace}/${name} was not written, and is tried again: ${said}`);
    return false;
  }

  /** `stands`: the gateways answer by its name, as somebody must. */
  async #takeOver(native: LiveObject, service: SwitchedService, stands: boolean): Promise<void> {
    const at = `Service ${objectKey(native)}`;
    const uncovered = uncoveredPorts(native, service);
    const problem = {
      taken: undefined,
      changed: `${at} was given another selector after it was taken over: that stands; remove it, or set takeover: false`,
      'by-others': `${at} was taken over by another Isthmus: end the migration there first`,
      no:
        Object.keys(selectorOf(native)).length > 0
          ? undefined
          : `${at} has no selector: whoever makes its EndpointSlices has to take them away`,
    }[takeoverOf(native, this.#owner)];
    if (problem !== undefined) this.#problems.push(problem);
    else if (uncovered.length > 0)
      this.#problems.push(
        `${at}: nobody would answer at its ports ${uncovered.join(', ')}, which no gateway port leads from: its originals stay`,
      );
    if (problem !== undefined || uncovered.length > 0 || !stands || takeoverOf(native, this.#owner) === 'taken') return;
    if (standInName(native.name).length > 63) {
      this.#problems.push(`${at}: its name is too long for a second one beside it: take the originals out yourself`);
      return;
    }
    const original = { ...native, name: standInName(native.name) };
    const there = (await this.#list('Service', { fieldSelector: `metadata.name=${original.name}` })).some(
      (live) => live.namespace === native.namespace,
    );
    if (!there && !(await this.#write('Service', original, standIn(native, service, this.#owner), true))) return;
    const before = await this.#ready(native);
    // The mesh must not lose sight of them in between.
    if (!(await this.#until(async () => (await this.#ready(original)) >= before))) {
      this.#problems.push(`${at}: its endpoints do not come into ${original.name}: is kube-controller-manager well?`);
      return;
    }
    if (await this.#write('Service', native, takenOver(native, this.#owner), false))
      await this.#until(async () => (await this.#ready(native)) === 0);
  }

  /** True: it is as it was. */
  async #giveBack(native: LiveObject): Promise<boolean> {
    const state = takeoverOf(native, this.#owner);
    if (state === 'no' || state === 'by-others') return true;
    if (!(await this.#write('Service', native, givenBack(native), false))) return false;
    if (state === 'changed') return true;
    const wanted = await this.#ready({ ...native, name: standInName(native.name) });
    if (await this.#until(async () => (await this.#ready(native)) >= wanted)) return true;
    this.#problems.push(`Service ${objectKey(native)}: its endpoints do not come back: is kube-controller-manager well?`);
    return false;
  }

  /** How many ready endpoints the controllers have put under a Service; gateways do not count. */
  async #ready({ namespace, name }: Name): Promise<number> {
    const slices = await this.#list('EndpointSlice', { labelSelector: `${serviceNameLabel}=${name}` });
    const theirs = slices.filter(
      (live) => live.namespace === namespace && (live.labels[nativeNameLabel] === undefined || name.endsWith(standInName(''))),
    );
    const endpoints = theirs.flatMap(({ raw }) => listIn(raw, 'endpoints').map(fieldsOf));
    return endpoints.filter((endpoint) => fieldsOf(endpoint['conditions'])['ready'] !== false).length;
  }

  async #until(condition: () => Promise<boolean>): Promise<boolean> {
    for (let look = 0; look < looks; look++) {
      if (await condition()) return true;
      await this.#deps.clock.sleep(lookMs, this.#signal);
    }
    return false;
  }

  async #remove(live: LiveObject): Promise<void> {
    const path = `${pathOf(live.kind, live.namespace)}/${live.name}`;
    const { uid, resourceVersion } = live;
    // Controllers touch what is ours only to label it; what somebody replaced is no longer ours.
    const preconditions = live.kind === 'Service' ? { uid } : { uid, resourceVersion };
    const answer = await this.#client.send('DELETE', path, { body: { preconditions } }, this.#signal);
    if (answer.status !== 404 && answer.status >= 300) throw refusal('DELETE', path, answer);
  }

  async #result(service: Name, natives: readonly LiveObject[], problems: readonly string[]): Promise<NativeNameResult> {
    const standing = (await this.#ours(service)).some(({ kind }) => kind === 'EndpointSlice');
    let [originals, drained] = [0, 0];
    for (const native of natives) {
      const taken = takeoverOf(native, this.#owner) === 'taken';
      const count = await this.#ready(taken ? { ...native, name: standInName(native.name) } : native);
      originals += count;
      if (taken) drained += count;
    }
    return { state: standing ? 'switched' : 'original', originals, drained, problems };
  }
}

function whyNot(service: SwitchedService, natives: readonly LiveObject[], slices: readonly WantedObject[]): string | undefined {
  const key = `${service.namespace}/${service.name}`;
  if (natives.length === 0) return `no Service here is ${key}: see the mapping of the Registry`;
  if (service.gatewayAddresses.length === 0) return `${key} has no gateway here: run one on the network of the Registry`;
  return slices.length === 0 ? `${key}: no port of the Service is one of the mesh service's with a gateway port` : undefined;
}

function meshNameOf(live: LiveObject): string {
  return live.labels[nativeNameLabel] ?? '';
}
