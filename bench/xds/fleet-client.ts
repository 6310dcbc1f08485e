import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { ControlChannel } from '../../core/identity/index.ts';
import { ads, buildNode, discovery } from '../../core/xds/index.ts';
import { heartbeatName, heartbeatTypeUrl } from '../../core/xds/type-urls.ts';

type Stream = ClientDuplexStream<discovery.DeltaDiscoveryRequest, discovery.DeltaDiscoveryResponse>;

/** What one client subscribes to: by type URL, names. */
export type Interests = ReadonlyMap<string, readonly string[]>;

export interface FleetEvents {
  /** A resource has come, new or changed. */
  heard(client: FleetClient, name: string): void;
  /** Once a stream: the server has read all that this client asked for, and the client holds it. */
  current(client: FleetClient): void;
}

/** One delta ADS client that takes everything: it keeps names and versions alone, so that many of them cost little. */
export class FleetClient {
  readonly #facts: Parameters<typeof buildNode>[0];
  readonly #channel: ControlChannel;
  readonly #interests: Interests;
  readonly #events: FleetEvents;
  readonly #held = new Map<string, Map<string, string>>();
  #client: ads.AggregatedDiscoveryServiceClient | undefined;
  #call: Stream | undefined;
  #beaten = false;
  #told = false;
  #again: NodeJS.Timeout | undefined;
  #lastError = '';

  constructor(facts: Parameters<typeof buildNode>[0], channel: ControlChannel, interests: Interests, events: FleetEvents) {
    this.#facts = facts;
    this.#channel = channel;
    this.#interests = interests;
    this.#events = events;
    this.forget();
  }

  /** What it has from earlier streams it tells the server, as an agent does that comes back. */
  connect(port: number): void {
    this.#client = new ads.AggregatedDiscoveryServiceClient(`127.0.0.1:${port}`, this.#channel.credentials, {
      ...this.#channel.options,
      'grpc.use_local_subchannel_pool': 1,
      'grpc.max_receive_message_length': 32 * 1024 * 1024,
    });
    const call = this.#client.deltaAggregatedResources();
    this.#call = call;
    this.#beaten = false;
    this.#told = false;
    call.on('data', (response) => this.#take(call, response));
    call.on('error', ({ message }) => {
      if (this.#call !== call) return;
      this.#lastError = message;
      // As agents do: a listener that is overrun is asked again, a little later each.
      this.disconnect();
      this.#again = setTimeout(() => this.connect(port), 100 + Math.random() * 400);
    });
    for (const [typeUrl, names] of this.#interests) {
      this.#send(call, {
        typeUrl,
        node: buildNode(this.#facts),
        resourceNamesSubscribe: [...names],
        initialResourceVersions: Object.fromEntries(this.#held.get(typeUrl) ?? []),
      });
    }
    // Last: when it is answered, all of the above has been read.
    this.#send(call, { typeUrl: heartbeatTypeUrl, resourceNamesSubscribe: [heartbeatName] });
  }

  disconnect(): void {
    clearTimeout(this.#again);
    const call = this.#call;
    this.#call = undefined;
    call?.cancel();
    this.#client?.close();
  }

  /** Who it is and what it still waits for, for the reader of an error. */
  describe(): string {
    const missing = [...this.#interests].flatMap(([typeUrl, names]) => {
      const count = names.filter((name) => this.#held.get(typeUrl)?.has(name) !== true).length;
      return count === 0 ? [] : [`${count} of ${typeUrl.split('.').at(-1)}`];
    });
    if (!this.#beaten) missing.push('the first answer to all it asked for');
    const error = this.#lastError === '' ? '' : `, last error: ${this.#lastError}`;
    return `${this.#facts.instance} (without ${missing.join(', ') || 'a change'}${error})`;
  }

  /** As if its disk were new. */
  forget(): void {
    for (const typeUrl of this.#interests.keys()) this.#held.set(typeUrl, new Map());
  }

  #take(call: Stream, response: discovery.DeltaDiscoveryResponse): void {
    const { typeUrl, nonce, resources } = response;
    this.#send(call, { typeUrl, responseNonce: nonce });
    if (typeUrl === heartbeatTypeUrl) this.#beaten = true;
    const held = this.#held.get(typeUrl);
    for (const { name, version } of resources) {
      held?.set(name, version);
      this.#events.heard(this, name);
    }
    if (!this.#beaten || this.#told || this.#missing()) return;
    this.#told = true;
    this.#events.current(this);
  }

  #missing(): boolean {
    for (const [typeUrl, names] of this.#interests) {
      const held = this.#held.get(typeUrl);
      if (names.some((name) => held?.has(name) !== true)) return true;
    }
    return false;
  }

  #send(call: Stream, request: Partial<discovery.DeltaDiscoveryRequest>): void {
    call.write(discovery.DeltaDiscoveryRequest.fromPartial(request));
  }
}
