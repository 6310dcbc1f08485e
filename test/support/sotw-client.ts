import { Cluster, Cluster_DiscoveryType } from '../../core/xds/gen/envoy/config/cluster/v3/cluster.ts';
import { discovery, envoyTypeUrls } from '../../core/xds/index.ts';

const { cluster, loadAssignment, listener, route } = envoyTypeUrls;
const wholeTypes: readonly string[] = [cluster, listener];

/** How a client words a NACK, and what it does with the good resources beside the bad one. */
export type NackStyle = 'envoy' | 'grpc' | 'speechless';

interface Type {
  readonly names: Set<string>;
  readonly held: Map<string, string>;
  version: string;
  nonce: string;
  clean: boolean;
}

/** A resource's bytes in these tests, of whatever type: its name, and a content that is its version too. */
export function bytesOf(name: string, version: string): Uint8Array {
  const eds = { $case: 'type' as const, value: Cluster_DiscoveryType.EDS };
  return Cluster.encode(Cluster.create({ name, altStatName: version, clusterDiscoveryType: eds })).finish();
}

function readBytes(bytes: Uint8Array): readonly [string, string] {
  const { name, altStatName } = Cluster.decode(bytes);
  return [name, altStatName];
}

/**
 * A state-of-the-world client as Envoy is one: everything of clusters and listeners, endpoints of its clusters, routes by name. A
 * cluster that is new or changed is warming until its endpoints have come, again if need be; so long it does not answer for clusters. Resources whose version begins with
 * `bad` are refused.
 */
export class SotwClient {
  readonly #style: NackStyle;
  readonly #types = new Map<string, Type>([cluster, loadAssignment, listener, route].map((t) => [t, newType()]));
  /** An answer for clusters waits until they are warm. */
  #unsaid: discovery.DiscoveryRequest | undefined;
  /** Clusters that wait for their endpoints. */
  readonly warming = new Set<string>();
  /** Clusters that have been there with their endpoints and are not gone. */
  readonly active = new Set<string>();

  constructor(style: NackStyle) {
    this.#style = style;
  }

  held(typeUrl: string): ReadonlyMap<string, string> {
    return this.#type(typeUrl).held;
  }

  /** Its versions say what it holds: it has not taken the last response in part. */
  clean(): boolean {
    return wholeTypes.every((typeUrl) => this.#type(typeUrl).clean);
  }

  /** The first requests of a new stream. */
  streamOpened(): discovery.DiscoveryRequest[] {
    this.#unsaid = undefined;
    for (const type of this.#types.values()) type.nonce = '';
    const asked = [...this.#types.keys()].filter((t) => wholeTypes.includes(t) || this.#type(t).names.size > 0);
    return asked.map((typeUrl) => this.#request(typeUrl));
  }

  /** By name, which clusters and listeners are not. */
  want(typeUrl: string, name: string): discovery.DiscoveryRequest[] {
    this.#type(typeUrl).names.add(name);
    return [this.#request(typeUrl)];
  }

  unwant(typeUrl: string, name: string): discovery.DiscoveryRequest[] {
    const type = this.#type(typeUrl);
    if (!type.names.delete(name)) return [];
    type.held.delete(name);
    return [this.#request(typeUrl)];
  }

  /** What it answers, and asks besides, in the order in which Envoy does. */
  receive(response: discovery.DiscoveryResponse): discovery.DiscoveryRequest[] {
    const { typeUrl } = response;
    const type = this.#type(typeUrl);
    const resources = response.resources.map(({ value }) => readBytes(value));
    const bad = resources.filter(([, version]) => version.startsWith('bad')).map(([name]) => name);
    const takes = bad.length === 0 || this.#style !== 'speechless';
    const made = takes ? this.#apply(typeUrl, type, new Map(resources), bad) : false;
    type.nonce = response.nonce;
    type.clean = bad.length === 0;
    if (type.clean) type.version = response.versionInfo;
    const answer = this.#request(
      typeUrl,
      this.#wording(
        bad,
        resources.map(([name]) => name),
      ),
    );
    const answers = made ? [this.#request(loadAssignment)] : [];
    if (typeUrl === cluster) this.#unsaid = answer;
    else answers.push(answer);
    return this.warming.size === 0 ? [...answers, ...this.giveUpWarming()] : answers;
  }

  /** As after Envoy's time-out: what it has not said about clusters while they were warming. */
  giveUpWarming(): discovery.DiscoveryRequest[] {
    const answer = this.#unsaid;
    this.#unsaid = undefined;
    return answer === undefined ? [] : [answer];
  }

  /** True when clusters came, went or were made anew: their endpoints are then asked for. */
  #apply(typeUrl: string, type: Type, resources: ReadonlyMap<string, string>, bad: readonly string[]): boolean {
    let made = false;
    for (const name of wholeTypes.includes(typeUrl) ? [...type.held.keys()] : []) {
      if (resources.has(name)) continue;
      this.#drop(typeUrl, name);
      made ||= typeUrl === cluster;
    }
    for (const [name, version] of resources) {
      if (bad.includes(name) || !(wholeTypes.includes(typeUrl) || type.names.has(name))) continue;
      if (typeUrl === loadAssignment && this.warming.delete(name)) this.active.add(name);
      if (typeUrl === cluster && type.held.get(name) !== version) {
        made = true;
        this.warming.add(name);
        this.#type(loadAssignment).names.add(name);
      }
      type.held.set(name, version);
    }
    return made;
  }

  #drop(typeUrl: string, name: string): void {
    this.#type(typeUrl).held.delete(name);
    if (typeUrl !== cluster) return;
    for (const set of [this.warming, this.active, this.#type(loadAssignment).names]) set.delete(name);
    this.#type(loadAssignment).held.delete(name);
  }

  #wording(bad: readonly string[], listed: readonly string[]): string | undefined {
    if (bad.length === 0) return undefined;
    if (this.#style === 'speechless') return 'something is wrong';
    if (this.#style === 'envoy') return `Error adding/updating cluster(s) ${bad.map((name) => `${name}: no good`).join(', ')}`;
    return `xDS response validation errors: [${bad.map((name) => `resource index ${listed.indexOf(name)}: no good`).join('; ')}]`;
  }

  #request(typeUrl: string, error?: string): discovery.DiscoveryRequest {
    const type = this.#type(typeUrl);
    return discovery.DiscoveryRequest.create({
      typeUrl,
      versionInfo: type.version,
      resourceNames: [...type.names],
      responseNonce: type.nonce,
      errorDetail: error === undefined ? undefined : { code: 13, message: error, details: [] },
    });
  }

  #type(typeUrl: string): Type {
    const type = this.#types.get(typeUrl);
    if (type === undefined) throw new Error(`no type ${typeUrl}`);
    return type;
  }
}

function newType(): Type {
  return { names: new Set(), held: new Map(), version: '', nonce: '', clean: true };
}
