import { GrpcFront } from '../../control/grpc/index.ts';
import { createXdsServer, type XdsServer } from '../../control/xds/index.ts';
import type { Clock } from '../../core/clock.ts';
import { controlChannel, type SvidSource } from '../../core/identity/index.ts';
import { silentLog } from '../../core/log.ts';
import { parseSpiffeId } from '../../core/model/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import {
  buildNode,
  createDeltaClient,
  type DeltaClient,
  type DeltaClientOptions,
  type EncodedResource,
  type ResourceSet,
  type ResourceSource,
} from '../../core/xds/index.ts';
import type { StreamLimits } from '../../core/xds/server/index.ts';
import type { MeshPki } from './mesh-pki.ts';

/** A source whose every client gets the same, until the test says otherwise. */
export class TestSource implements ResourceSource {
  #set: ResourceSet | undefined;
  readonly #listeners = new Set<() => void>();

  set(resources: Readonly<Record<string, readonly EncodedResource[]>> | undefined): void {
    const entries = Object.entries(resources ?? {});
    this.#set = resources && new Map(entries.map(([typeUrl, list]) => [typeUrl, new Map(list.map((r) => [r.name, r]))]));
    for (const listener of this.#listeners) listener();
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  view() {
    return {
      current: () => this.#set,
      subscribe: (listener: () => void) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    };
  }
}

export const resource = (name: string, version: string, bytes = 8): EncodedResource => ({ name, version, value: Buffer.alloc(bytes, 1) });

/** A control plane's listener with delta ADS on it, over real TLS. */
export class XdsPlane {
  readonly source = new TestSource();
  readonly front: GrpcFront;
  readonly xds: XdsServer;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor(pki: MeshPki, options: { clock?: Clock; limits?: Partial<StreamLimits>; messageBytes?: number; port?: number } = {}) {
    const clock = options.clock ?? systemClock;
    this.front = new GrpcFront({
      host: '127.0.0.1',
      port: options.port ?? 0,
      identity: { svid: pki.svid('east', 'isthmus-system', 'control'), bundle: pki.bundle },
      clock: systemClock,
      log: silentLog,
      limits: { messageBytes: options.messageBytes ?? 4 * 1024 * 1024 },
    });
    const callerOf = (call: Parameters<GrpcFront['callerOf']>[0]) => this.front.callerOf(call);
    this.xds = createXdsServer({ source: this.source, cluster: 'east', callerOf, clock, log: silentLog, limits: options.limits ?? {} });
    for (const { definition, handlers } of this.xds.services) this.front.addService(definition, handlers);
  }

  async start(): Promise<this> {
    await this.front.start(this.#stop.signal);
    this.#running = this.xds.run(this.#stop.signal);
    return this;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.front.dispose();
  }
}

export function meshClient(
  pki: MeshPki,
  bootstrap: readonly string[],
  options: Partial<DeltaClientOptions> & { identity?: string; instance?: string; svids?: SvidSource } = {},
): { client: DeltaClient; stop: () => Promise<void> } {
  const stop = new AbortController();
  const svids = options.svids ?? pki.source('east', 'shop', 'orders');
  const identity = parseSpiffeId(options.identity ?? 'spiffe://mesh.test/ns/shop/sa/orders');
  if (identity === undefined) throw new Error('not a SPIFFE id');
  const client = createDeltaClient({
    bootstrap,
    security: () => controlChannel(svids, { cluster: 'east', now: Date.now }),
    node: buildNode({
      kind: 'agent',
      identity,
      instance: options.instance ?? 'vm-1',
      network: 'n1',
      locality: 'r/z',
      labels: {},
      version: '1',
    }),
    onUpdate: () => [],
    clock: systemClock,
    random: Math.random,
    log: silentLog,
    signal: stop.signal,
    timing: { backoffBaseMs: 10, backoffMaxMs: 50 },
    ...options,
  });
  let running: Promise<void> | undefined;
  // Started after the caller has subscribed and restored.
  queueMicrotask(() => {
    running = client.start();
  });
  return {
    client,
    stop: async () => {
      stop.abort();
      await running;
    },
  };
}
