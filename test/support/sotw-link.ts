import { type discovery, envoyOrder, type ResourceSet } from '../../core/xds/index.ts';
import { defaultRequestLimits, SotwServerState } from '../../core/xds/server/index.ts';
import type { World } from './delta-link.ts';
import { bytesOf, type NackStyle, SotwClient } from './sotw-client.ts';

function resourceSet(world: World): ResourceSet {
  return new Map(
    envoyOrder.map((typeUrl) => {
      const resources = Object.entries(world[typeUrl] ?? {});
      return [typeUrl, new Map(resources.map(([name, version]) => [name, { name, version, value: bytesOf(name, version) }]))];
    }),
  );
}

/** A state-of-the-world client and server over a link that delivers when told, and loses everything on the way when it breaks. */
export class SotwLink {
  client: SotwClient;
  server: SotwServerState;
  world: World;
  toServer: discovery.DiscoveryRequest[] = [];
  toClient: discovery.DiscoveryResponse[] = [];
  /** How often the client would have waited for endpoints until its own time-out. */
  timeOuts = 0;
  readonly #style: NackStyle;
  readonly #responseBytes: number;
  #set: ResourceSet;
  #streams = 0;

  constructor(world: World, style: NackStyle, responseBytes = 1_000_000) {
    this.world = world;
    this.#set = resourceSet(world);
    this.#style = style;
    this.#responseBytes = responseBytes;
    this.client = new SotwClient(style);
    this.server = this.#newServer();
    this.connect();
  }

  /** A new stream; the client keeps what it holds. */
  connect(): void {
    this.server = this.#newServer();
    this.toClient = [];
    this.toServer = this.client.streamOpened();
  }

  /** A new process that holds nothing. */
  restart(): void {
    this.client = new SotwClient(this.#style);
    this.connect();
  }

  become(world: World): void {
    const before = this.world;
    this.world = world;
    this.#set = resourceSet(world);
    this.server.changed(
      envoyOrder.map((typeUrl) => {
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
    this.toServer.push(...this.client.receive(response));
    return true;
  }

  /** Delivers until nothing moves; throws when it never ends. */
  settle(): void {
    for (let steps = 0; this.deliverToServer() || this.deliverToClient() || this.#giveUpWarming(); steps += 1) {
      if (steps > 5_000) throw new Error('the two sides never come to rest');
    }
  }

  #giveUpWarming(): boolean {
    const answers = this.client.giveUpWarming();
    this.timeOuts += answers.length;
    this.toServer.push(...answers);
    return answers.length > 0;
  }

  held(typeUrl: string): Record<string, string> {
    return Object.fromEntries(this.client.held(typeUrl));
  }

  caughtUp(): boolean {
    return this.server.caughtUp(this.#set);
  }

  quarantined(typeUrl: string): Record<string, string> {
    const type = [...this.server.types()].find((t) => t.typeUrl === typeUrl);
    return Object.fromEntries([...(type?.quarantined ?? [])].map(([name, q]) => [name, q.version]));
  }

  #newServer(): SotwServerState {
    this.#streams += 1;
    return new SotwServerState(envoyOrder, { ...defaultRequestLimits, responseBytes: this.#responseBytes }, `${this.#streams}.`);
  }

  #pump(): void {
    for (let r = this.server.next(this.#set); r !== undefined; r = this.server.next(this.#set)) {
      this.toClient.push(r);
    }
  }
}
