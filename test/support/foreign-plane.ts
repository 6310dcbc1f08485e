import { status as grpcStatus, Server, ServerCredentials } from '@grpc/grpc-js';
import type { Clock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { systemClock } from '../../core/system-clock.ts';
import type { ChangedNames, EncodedResource, ResourceSet, ResourceView } from '../../core/xds/index.ts';
import { aggregatedService, type StreamLimits, typeServices, XdsStreams } from '../../core/xds/server/index.ts';

/** What everybody gets; a change tells its names. */
class HandMadeView implements ResourceView {
  #set: ResourceSet = new Map();
  readonly #listeners = new Set<(changed?: readonly ChangedNames[]) => void>();

  current(): ResourceSet {
    return this.#set;
  }

  subscribe(listener: (changed?: readonly ChangedNames[]) => void): () => void {
    const entry = (changed?: readonly ChangedNames[]) => listener(changed);
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** One atomic change: these types hold these resources and no others. */
  set(types: Readonly<Record<string, readonly EncodedResource[]>>): void {
    const before = this.#set;
    const next = new Map(before);
    for (const [typeUrl, list] of Object.entries(types)) next.set(typeUrl, new Map(list.map((r) => [r.name, r])));
    this.#set = next;
    const changed = Object.keys(types).map((typeUrl) => {
      const [old, now] = [before.get(typeUrl), next.get(typeUrl)];
      const all = new Set([...(old?.keys() ?? []), ...(now?.keys() ?? [])]);
      return { typeUrl, names: [...all].filter((name) => old?.get(name)?.version !== now?.get(name)?.version) };
    });
    for (const listener of this.#listeners) listener(changed);
  }
}

/** The generic xDS server over plain gRPC, letting in whoever says a node id. */
export class ForeignPlane {
  readonly view = new HandMadeView();
  readonly streams: XdsStreams<string>;
  readonly #server = new Server({ 'grpc.max_receive_message_length': 1024 * 1024 });
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  port = 0;

  constructor(limits: Partial<StreamLimits> = {}, clock: Clock = systemClock) {
    this.streams = new XdsStreams<string>({
      admission: () => ({
        countedAs: 'anybody',
        identify: (node) =>
          node === undefined || node.id === ''
            ? { code: grpcStatus.PERMISSION_DENIED, details: 'no node id' }
            : { client: node.id, id: node.id, view: this.view, single: false },
      }),
      clock,
      log: silentLog,
      limits,
    });
    for (const { definition, handlers } of [aggregatedService(this.streams), ...typeServices(this.streams)]) {
      this.#server.addService(definition, handlers);
    }
  }

  async start(port = 0): Promise<this> {
    this.port = await new Promise<number>((resolve, reject) =>
      this.#server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      ),
    );
    this.#running = this.streams.run(this.#stop.signal);
    return this;
  }

  /** All that clients refuse: name → their words. */
  refused(): Record<string, string> {
    const all = this.streams.clients().flatMap(({ types }) => types.flatMap((type) => type.refused));
    return Object.fromEntries(all.map(({ name, reason }) => [name, reason]));
  }

  /** The oldest data that any stream of a client runs on, in ms. */
  dataAge(): number {
    return Math.max(...this.streams.clients().map((client) => client.dataAgeMs));
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#server.forceShutdown();
  }
}
