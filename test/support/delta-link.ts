import { DeltaClientState, type discovery, type EncodedResource, type ResourceRejection, type XdsUpdate } from '../../core/xds/index.ts';
import { DeltaServerState, defaultRequestLimits } from '../../core/xds/server/index.ts';

/** Type URL → name → content. A content is its own version. */
export type World = Readonly<Record<string, Readonly<Record<string, string>>>>;

export function resourceSet(world: World): ReadonlyMap<string, ReadonlyMap<string, EncodedResource>> {
  return new Map(
    Object.entries(world).map(([typeUrl, resources]) => [
      typeUrl,
      new Map(Object.entries(resources).map(([name, version]) => [name, { name, version, value: Buffer.from(version) }])),
    ]),
  );
}

/** A delta client and a delta server over a link that delivers when told, and loses everything on the way when it breaks. */
export class DeltaLink {
  readonly order: readonly string[];
  client = new DeltaClientState();
  server: DeltaServerState;
  world: World;
  toServer: discovery.DeltaDiscoveryRequest[] = [];
  toClient: discovery.DeltaDiscoveryResponse[] = [];
  readonly #judge: (update: XdsUpdate) => readonly ResourceRejection[];
  readonly #responseBytes: number;

  constructor(order: readonly string[], world: World, judge: (update: XdsUpdate) => readonly ResourceRejection[], responseBytes: number) {
    this.order = order;
    this.world = world;
    this.#judge = judge;
    this.#responseBytes = responseBytes;
    this.server = this.#newServer();
  }

  connect(): void {
    this.client.streamLost();
    this.server = this.#newServer();
    this.toClient = [];
    this.toServer = this.client.streamOpened();
  }

  /** The client's process dies and comes back with what it had written to disk. */
  restartClient(subscriptions: Readonly<Record<string, '*' | readonly string[]>>): void {
    const saved = this.client.snapshot();
    this.client = new DeltaClientState();
    this.client.restore(saved);
    for (const [typeUrl, names] of Object.entries(subscriptions)) this.client.subscribe(typeUrl, names);
    this.connect();
  }

  send(request: discovery.DeltaDiscoveryRequest | undefined): void {
    if (request !== undefined) this.toServer.push(request);
  }

  become(world: World): void {
    const before = this.world;
    this.world = world;
    const typeUrls = new Set([...Object.keys(before), ...Object.keys(world)]);
    this.server.changed(
      [...typeUrls].map((typeUrl) => {
        const [a, b] = [before[typeUrl] ?? {}, world[typeUrl] ?? {}];
        return { typeUrl, names: [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((name) => a[name] !== b[name]) };
      }),
    );
    this.#pump();
  }

  deliverToServer(): boolean {
    const request = this.toServer.shift();
    if (request === undefined) return false;
    const outcome = this.server.request(request);
    if (outcome.kind === 'refused') throw new Error(outcome.reason);
    this.#pump();
    return true;
  }

  deliverToClient(): boolean {
    const response = this.toClient.shift();
    if (response === undefined) return false;
    const received = this.client.receive(response);
    this.toServer.push(this.client.settle(received, this.#judge(received.update)));
    return true;
  }

  /** Delivers until nothing moves; throws when it never ends. */
  settle(): void {
    for (let steps = 0; this.deliverToServer() || this.deliverToClient(); steps += 1) {
      if (steps > 10_000) throw new Error('the two sides never come to rest');
    }
  }

  held(typeUrl: string): Record<string, string> {
    return Object.fromEntries([...this.client.resources(typeUrl)].map(([name, r]) => [name, r.version]));
  }

  acked(typeUrl: string): Record<string, string> {
    const type = [...this.server.types()].find((t) => t.typeUrl === typeUrl);
    return Object.fromEntries(type?.acked ?? []);
  }

  #newServer(): DeltaServerState {
    return new DeltaServerState(this.order, { ...defaultRequestLimits, responseBytes: this.#responseBytes });
  }

  #pump(): void {
    for (let r = this.server.next(resourceSet(this.world)); r !== undefined; r = this.server.next(resourceSet(this.world)))
      this.toClient.push(r);
  }
}
