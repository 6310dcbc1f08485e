import { setMaxListeners } from 'node:events';
import type { KubernetesConnection } from '../../core/config/index.ts';
import { type MeshError, toMeshError } from '../../core/errors.ts';
import { childController, exponentialBackoff, isAborted } from '../../core/lifecycle.ts';
import type { AdapterDeps, NativeObject, ObjectSink, ObjectWatch, WatchedKind } from '../../core/registry/index.ts';
import type { KubernetesClient } from './client.ts';
import { type ServedKind, servedKinds } from './discovery.ts';
import { projectObject } from './native-object.ts';
import { defaultReflectorLimits, Reflector, type ReflectorOptions, type ReflectorSink } from './reflector.ts';

export interface ObjectWatchLimits extends Partial<Omit<ReflectorOptions, 'clock' | 'random'>> {
  /** How often the server is asked which kinds it has, plus up to as much, ms. */
  readonly lookMs?: number;
}

const defaultLookMs = 10_000;
/** Of one kind in one scope. */
const mostObjects = 20_000;
/** A server that starts may not list all of its definitions yet: a kind that is not followed is absent when it was not there so often in a row. */
const looksUntilAbsent = 2;

interface Following {
  readonly served: ServedKind;
  /** One that it reads. */
  readonly path: string;
  end(): Promise<void>;
}

/**
 * Custom resources of one Kubernetes API. A kind whose definition is not installed is no fault: the server is asked again which kinds it has,
 * so that what is installed later is followed, and what is uninstalled is let go of.
 */
export class KubernetesObjects implements ObjectWatch {
  readonly #kinds: readonly WatchedKind[];
  readonly #scopes: readonly (string | undefined)[];
  readonly #client: KubernetesClient;
  readonly #deps: AdapterDeps;
  readonly #options: ReflectorOptions;
  readonly #lookMs: number;
  readonly #following = new Map<WatchedKind, Following>();
  readonly #missed = new Map<WatchedKind, number>();
  readonly #failing = new Set<string>();

  constructor(
    connection: KubernetesConnection,
    kinds: readonly WatchedKind[],
    client: KubernetesClient,
    deps: AdapterDeps,
    limits: ObjectWatchLimits,
  ) {
    const { lookMs = defaultLookMs, ...reflector } = limits;
    this.#kinds = kinds;
    this.#scopes = connection.namespaces.length === 0 ? [undefined] : connection.namespaces;
    this.#client = client;
    this.#deps = deps;
    this.#options = { ...defaultReflectorLimits, maxObjects: mostObjects, ...reflector, clock: deps.clock, random: deps.random };
    this.#lookMs = lookMs;
  }

  async run(sink: ObjectSink, parent: AbortSignal): Promise<void> {
    const { clock, random } = this.#deps;
    const backoff = this.#backoff();
    const { controller, release } = childController(parent);
    const { signal } = controller;
    // One listener per kind is meant.
    setMaxListeners(0, signal);
    try {
      while (!signal.aborted) {
        const found = await this.#look(sink, signal);
        if (found) backoff.reset();
        await clock.sleep(found ? this.#lookMs * (1 + random()) : backoff.next(), signal).catch(() => undefined);
      }
    } finally {
      release();
      controller.abort();
      await Promise.all([...this.#following.values()].map((each) => each.end()));
      await this.#client.close();
    }
  }

  async #look(sink: ObjectSink, signal: AbortSignal): Promise<boolean> {
    let served: ReadonlyMap<WatchedKind, ServedKind>;
    try {
      served = await servedKinds(this.#client, this.#kinds, signal);
    } catch (error) {
      // Whoever is followed says so itself, and better.
      for (const kind of this.#kinds) if (!this.#following.has(kind)) this.#say(kind, 'discovery', sink, toMeshError(error), signal);
      return false;
    }
    for (const kind of this.#kinds) {
      this.#say(kind, 'discovery', sink, undefined, signal);
      await this.#settle(kind, served.get(kind), sink, signal);
    }
    return true;
  }

  async #settle(kind: WatchedKind, served: ServedKind | undefined, sink: ObjectSink, signal: AbortSignal): Promise<void> {
    const following = this.#following.get(kind);
    if (served === undefined) {
      const missed = (this.#missed.get(kind) ?? 0) + 1;
      this.#missed.set(kind, missed);
      const absent = following === undefined ? missed >= looksUntilAbsent : await this.#isGone(following, missed, signal);
      if (!absent || signal.aborted) return;
      this.#following.delete(kind);
      await following?.end();
      this.#forget(kind, sink);
      sink.absent(kind);
      return;
    }
    this.#missed.delete(kind);
    if (following?.served.apiVersion === served.apiVersion && following.served.plural === served.plural) return;
    await following?.end();
    if (!signal.aborted) this.#following.set(kind, this.#follow(kind, served, sink, signal));
  }

  /** Discovery may lag, but a path is 404 only when the server knows all of its paths: one that starts answers 503. */
  async #isGone({ path }: Following, missed: number, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#client.get(path, { limit: 1 }, signal);
      return false;
    } catch (error) {
      const { code } = toMeshError(error);
      // Rights are asked for first, and may have gone with the definition.
      return code === 'NOT_FOUND' || (code === 'REGISTRY_REFUSED' && missed >= looksUntilAbsent);
    }
  }

  #follow(kind: WatchedKind, served: ServedKind, sink: ObjectSink, signal: AbortSignal): Following {
    const { controller, release } = childController(signal);
    const running = this.#scopes.map((scope) => this.#keepFollowing(kind, served, scope, sink, controller.signal));
    const path = pathOf(served, this.#scopes[0]);
    const end = async () => {
      controller.abort();
      await Promise.all(running);
      release();
    };
    return { served, path, end };
  }

  /** Keeps its place over failures, so that a server that returns is asked only for what was missed. */
  async #keepFollowing(
    kind: WatchedKind,
    served: ServedKind,
    scope: string | undefined,
    sink: ObjectSink,
    signal: AbortSignal,
  ): Promise<void> {
    const project = (raw: unknown) => projectObject(raw, served.apiVersion, kind.kind);
    const reflector = new Reflector(this.#client, { path: pathOf(served, scope), project }, this.#options);
    const backoff = this.#backoff();
    const readable = () => {
      backoff.reset();
      this.#say(kind, scope ?? '', sink, undefined, signal);
    };
    const findings: ReflectorSink<NativeObject> = {
      replace: async (items) => {
        sink.replace(kind, scope, items);
        readable();
      },
      resumed: async () => readable(),
      put: async (item) => sink.put(kind, item),
      remove: async ({ namespace, name }) => sink.remove(kind, namespace, name),
    };
    while (!signal.aborted) {
      try {
        await reflector.run(findings, signal);
      } catch (error) {
        this.#say(kind, scope ?? '', sink, toMeshError(error), signal);
      }
      await this.#deps.clock.sleep(backoff.next(), signal).catch(() => undefined);
    }
  }

  /** A kind can be read when all of its scopes can. */
  #say(kind: WatchedKind, what: string, sink: ObjectSink, error: MeshError | undefined, signal: AbortSignal): void {
    if (signal.aborted || isAborted(error)) return;
    const id = `${kind.group}/${kind.kind} `;
    if (error !== undefined) this.#failing.add(id + what);
    else if (!this.#failing.delete(id + what) || [...this.#failing].some((each) => each.startsWith(id))) return;
    sink.unread(kind, error);
  }

  #forget(kind: WatchedKind, sink: ObjectSink): void {
    const of = [...this.#failing].filter((each) => each.startsWith(`${kind.group}/${kind.kind} `));
    for (const each of of) this.#failing.delete(each);
    if (of.length > 0) sink.unread(kind, undefined);
  }

  #backoff() {
    return exponentialBackoff({ baseMs: 100, maxMs: 5_000, random: this.#deps.random });
  }
}

function pathOf({ apiVersion, plural }: ServedKind, scope: string | undefined): string {
  return `/apis/${apiVersion}${scope === undefined ? '' : `/namespaces/${scope}`}/${plural}`;
}
