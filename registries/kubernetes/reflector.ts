import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import { isAborted } from '../../core/lifecycle.ts';
import { type KubernetesClient, type Query, refusal, statusCode } from './client.ts';
import { fieldsIn, fieldsOf, textIn } from './fields.ts';
import { type ListLimits, listAll, listFirst } from './list.ts';
import type { ObjectName } from './objects.ts';
import { type LineLimits, parseWatchLine, readLines } from './watch-stream.ts';

/** One resource in one scope, `/api/v1/namespaces/shop/services`. */
export interface Resource<T> {
  readonly path: string;
  readonly labelSelector?: string;
  /** Undefined for what is no object of the kind: it is passed over and never blocks the rest. */
  readonly project: (raw: unknown) => T | undefined;
}

/** Where a reflector's findings go, in order; it waits for each, so that a slow sink holds the stream back. */
export interface ReflectorSink<T> {
  /** Everything there is: after the first list and every time history was lost. */
  replace(items: readonly T[], resourceVersion: string): Promise<void>;
  put(item: T, resourceVersion: string): Promise<void>;
  remove(name: ObjectName, resourceVersion: string): Promise<void>;
  /** The stream goes on where an earlier run left it: nothing was missed. */
  resumed(resourceVersion: string): Promise<void>;
}

export interface ReflectorOptions extends ListLimits, LineLimits {
  readonly clock: Clock;
  /** [0, 1) */
  readonly random: () => number;
  /** The server ends a watch after this long, plus up to as much again, ms. */
  readonly watchMs: number;
}

export const defaultReflectorLimits = {
  pageSize: 500,
  maxObjects: 500_000,
  maxLineBytes: 8 * 1024 * 1024,
  idleMs: 75_000,
  watchMs: 240_000,
} as const;

/** Streams that are cut sooner than this, ms, and so often in a row, are an outage. */
const shortLivedMs = 1_000;
const shortLivedTries = 5;

const decimal = /^[0-9]{1,19}$/;

/**
 * Follows one resource: a paged list, then watches that resume at the last version seen. It remembers that version across runs, so
 * that an outage costs a new watch and not a new list, unless the server has forgotten (410) or gone back in time.
 */
export class Reflector<T> {
  readonly #client: KubernetesClient;
  readonly #resource: Resource<T>;
  readonly #options: ReflectorOptions;
  #resourceVersion: string | undefined;

  constructor(client: KubernetesClient, resource: Resource<T>, options: ReflectorOptions) {
    this.#client = client;
    this.#resource = resource;
    this.#options = options;
  }

  /** Runs until `signal` aborts (then returns) or the API cannot be read (then throws; call again to go on). */
  async run(sink: ReflectorSink<T>, signal: AbortSignal): Promise<void> {
    try {
      let announce = this.#resourceVersion !== undefined && !(await this.#wentBack(signal));
      let quick = 0;
      while (!signal.aborted) {
        if (this.#resourceVersion === undefined) await this.#list(sink, signal);
        const started = this.#options.clock.monotonic();
        const ended = await this.#watch(sink, announce, signal);
        announce = false;
        const shortLived = this.#options.clock.monotonic() - started < Math.min(shortLivedMs, this.#options.idleMs);
        quick = ended.progressed || !shortLived ? 0 : quick + 1;
        if (quick >= shortLivedTries) {
          throw new MeshError('REGISTRY_UNREACHABLE', `watch of ${this.#resource.path} is cut again and again`, { retryable: true });
        }
        await this.#options.clock.sleep(this.#options.random() * 50 * 2 ** quick, signal);
        if (ended.broken && this.#resourceVersion !== undefined) await this.#wentBack(signal);
      }
    } catch (error) {
      if (signal.aborted || isAborted(error)) return;
      throw error;
    }
  }

  async #list(sink: ReflectorSink<T>, signal: AbortSignal): Promise<void> {
    const { path, labelSelector, project } = this.#resource;
    const listed = await listAll(this.#client, path, { labelSelector }, this.#options, project, signal);
    await sink.replace(listed.items, listed.resourceVersion);
    this.#resourceVersion = listed.resourceVersion;
  }

  /**
   * Forgets the version and returns true when the server is behind it: one that was restored from a backup would take it for one of
   * the future and say nothing until it gets there. Versions are compared as numbers, which etcd's are; where they are
   * none, nothing is concluded.
   */
  async #wentBack(signal: AbortSignal): Promise<boolean> {
    const { path, labelSelector, project } = this.#resource;
    const { resourceVersion: current } = await listFirst(this.#client, path, { labelSelector }, project, signal);
    const mine = this.#resourceVersion ?? '';
    if (!decimal.test(current) || !decimal.test(mine) || BigInt(current) >= BigInt(mine)) return false;
    this.#resourceVersion = undefined;
    return true;
  }

  /** One stream to its end: whether it brought anything, and whether it broke rather than ended. */
  async #watch(sink: ReflectorSink<T>, announce: boolean, signal: AbortSignal): Promise<{ progressed: boolean; broken: boolean }> {
    const { path, labelSelector } = this.#resource;
    const { watchMs, random, clock } = this.#options;
    const timeoutSeconds = Math.max(1, Math.ceil((watchMs * (1 + random())) / 1_000));
    const query: Query = { watch: true, allowWatchBookmarks: true, resourceVersion: this.#resourceVersion, timeoutSeconds, labelSelector };
    const stream = await this.#open(path, query, signal);
    if (stream === undefined) return { progressed: true, broken: false };
    if (announce) await sink.resumed(this.#resourceVersion ?? '');
    let progressed = false;
    try {
      for await (const line of readLines(stream, this.#options, clock)) {
        if (signal.aborted || !(await this.#apply(line, sink))) break;
        progressed = true;
      }
    } catch (error) {
      // A broken stream alone is no outage: the next request says whether the server is there.
      if (!(error instanceof MeshError) || error.code !== 'REGISTRY_UNREACHABLE') throw error;
      return { progressed, broken: true };
    }
    return { progressed, broken: false };
  }

  /** Undefined when the version is no longer known. */
  async #open(path: string, query: Query, signal: AbortSignal) {
    try {
      return await this.#client.open(path, query, signal);
    } catch (error) {
      if (!(error instanceof MeshError) || error.code !== 'COMPACTED') throw error;
      this.#resourceVersion = undefined;
      return undefined;
    }
  }

  /** False when the stream is of no more use. */
  async #apply(text: string, sink: ReflectorSink<T>): Promise<boolean> {
    try {
      const line = parseWatchLine(text);
      if (line.kind === 'error') return this.#failed(line.status);
      if (line.kind !== 'bookmark') await this.#hand(line, sink);
      this.#resourceVersion = line.resourceVersion;
      return true;
    } catch (error) {
      // Going on from the same version would meet the same line: read everything anew instead.
      if (error instanceof MeshError && error.code === 'PROTOCOL_ERROR') this.#resourceVersion = undefined;
      throw error;
    }
  }

  /** An object that is no longer of use as one of its kind is as good as gone. */
  async #hand(
    line: { readonly kind: 'put' | 'remove'; readonly object: unknown; readonly resourceVersion: string },
    sink: ReflectorSink<T>,
  ) {
    const item = line.kind === 'put' ? this.#resource.project(line.object) : undefined;
    if (item !== undefined) return sink.put(item, line.resourceVersion);
    const metadata = fieldsIn(fieldsOf(line.object), 'metadata');
    return sink.remove({ namespace: textIn(metadata, 'namespace'), name: textIn(metadata, 'name') }, line.resourceVersion);
  }

  #failed(status: unknown): false {
    const code = statusCode(status);
    this.#resourceVersion = code === 410 ? undefined : this.#resourceVersion;
    if (code === 410 || code >= 500) return false;
    throw refusal('WATCH', this.#resource.path, { status: code, body: status });
  }
}
