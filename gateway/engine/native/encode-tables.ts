import type { Clock } from '../../../core/clock.ts';
import type { EndpointState } from '../../state/types.ts';
import { type ClusterTable, type EngineTables, ejectionKey, type PlainRule, type SniRule } from '../contract.ts';
import { isHttp } from '../is-http.ts';
import { EncodedCluster } from './encode-cluster.ts';
import { encodeIdentity } from './encode-identity.ts';
import type { NativeCluster, NativePlainRule, NativeSniRule, TablesChange } from './messages.ts';

/**
 * Says of each change of the tables what the native engine has not been told: a change costs it what has changed, however large the tables
 * are. What it cannot carry itself is marked, and its connections come to TypeScript.
 */
export class TablesEncoder {
  readonly #random: () => number;
  readonly #clock: Clock;
  readonly #sni = new Map<string, NativeSniRule>();
  readonly #plain = new Map<string, NativePlainRule>();
  readonly #clusters = new Map<string, EncodedCluster>();
  readonly #endpoints = new Map<number, EndpointState>();
  #told: Pick<EngineTables, 'svid' | 'trust'> | undefined;
  #whole = false;
  #nextHandle = 1;

  constructor(random: () => number, clock: Clock) {
    this.#random = random;
    this.#clock = clock;
  }

  /** Undefined: nothing has changed for it. */
  change(tables: EngineTables): TablesChange | undefined {
    const clusters = this.#changedClusters(tables);
    const sni = difference(this.#sni, tables.sni, (rule) => sniRule(rule, tables), sameSni);
    const plain = difference(this.#plain, tables.plain, (rule) => plainRule(rule, tables), samePlain);
    const { svid, trust } = tables;
    const known = this.#told?.svid === svid && this.#told.trust === trust;
    this.#told = { svid, trust };
    const identity = known ? {} : { identity: encodeIdentity(tables) };
    const whole = this.#whole ? { whole: true } : {};
    this.#whole = false;
    const changed = {
      ...whole,
      ...clusters,
      ...identity,
      ...(sni === undefined ? {} : { sni }),
      ...(plain === undefined ? {} : { plain }),
    };
    return Object.keys(changed).length === 0 ? undefined : changed;
  }

  /** What was told was not taken: the next change says everything. */
  forgetTold(): void {
    this.#sni.clear();
    this.#plain.clear();
    this.#clusters.clear();
    this.#told = undefined;
    this.#whole = true;
  }

  /** Shares change by themselves for now: `change` is to be asked again soon. */
  get growing(): boolean {
    return [...this.#clusters.values()].some(({ growing }) => growing);
  }

  endpoint(handle: number): EndpointState | undefined {
    return this.#endpoints.get(handle);
  }

  forget(handles: readonly number[]): void {
    for (const handle of handles) this.#endpoints.delete(handle);
  }

  #changedClusters({ clusters, ejected }: EngineTables): { clusters?: Record<string, NativeCluster | null> } {
    const changes: Record<string, NativeCluster | null> = {};
    let any = false;
    for (const [name, table] of clusters) {
      let known = this.#clusters.get(name);
      if (known === undefined) {
        known = new EncodedCluster(this.#random, this.#clock);
        this.#clusters.set(name, known);
      }
      const encoded = known.changed(table, ejected, (endpoint) => this.#handle(endpoint));
      if (encoded === undefined) continue;
      changes[name] = encoded;
      any = true;
    }
    if (this.#clusters.size === clusters.size) return any ? { clusters: changes } : {};
    for (const name of this.#clusters.keys()) {
      if (clusters.has(name)) continue;
      this.#clusters.delete(name);
      changes[name] = null;
    }
    return { clusters: changes };
  }

  #handle(endpoint: EndpointState): number {
    const handle = this.#nextHandle;
    this.#nextHandle = handle === 0xffff_ffff ? 1 : handle + 1;
    this.#endpoints.set(handle, endpoint);
    return handle;
  }
}

/** What `now` has that was not told, as told from then on; null for what went. Undefined: nothing. */
function difference<Rule, Told>(
  told: Map<string, Told>,
  now: ReadonlyMap<string, Rule>,
  encode: (rule: Rule) => Told,
  same: (a: Told, b: Told) => boolean,
): Record<string, Told | null> | undefined {
  const changes: Record<string, Told | null> = {};
  let any = false;
  for (const [name, rule] of now) {
    const encoded = encode(rule);
    const before = told.get(name);
    if (before !== undefined && same(before, encoded)) continue;
    told.set(name, encoded);
    changes[name] = encoded;
    any = true;
  }
  if (told.size === now.size) return any ? changes : undefined;
  for (const name of told.keys()) {
    if (now.has(name)) continue;
    told.delete(name);
    changes[name] = null;
  }
  return changes;
}

function sniRule(rule: SniRule, { clusters, ejected }: EngineTables): NativeSniRule {
  const cluster = rule.mode === 'tunnel' ? undefined : clusters.get(rule.clusterName);
  if (rule.mode === 'passthrough' && carriage(cluster) === 'bare') return { mode: 'passthrough', cluster: rule.clusterName };
  const anySubset = rule.mode === 'terminate' && rule.anySubset === true;
  if (rule.mode !== 'terminate' || isHttp(rule.protocol)) return { mode: 'node', anySubset };
  const { rules, unknown = false } = rule.authz;
  const handOver = rule.svid !== undefined || carriage(cluster) === 'none' || allSuspect(cluster, ejected);
  return { mode: 'terminate', cluster: rule.clusterName, anySubset, handOver, unknown, rules, end: rule.end };
}

/** While everything behind is under suspicion the node engine tries one before the handshake: see serve-sni.ts. */
function allSuspect(cluster: ClusterTable | undefined, ejected: ReadonlySet<string>): boolean {
  if (cluster === undefined || ejected.size === 0) return false;
  return cluster.endpoints.every((each) => ejected.has(ejectionKey(cluster.name, each)));
}

function sameSni(a: NativeSniRule, b: NativeSniRule): boolean {
  if (a.mode === 'passthrough') return b.mode === 'passthrough' && a.cluster === b.cluster;
  if (a.mode === 'node') return b.mode === 'node' && a.anySubset === b.anySubset;
  if (b.mode !== 'terminate' || a.cluster !== b.cluster || a.anySubset !== b.anySubset || a.unknown !== b.unknown) return false;
  if (a.handOver !== b.handOver) return false;
  return a.rules === b.rules && a.end.namespace === b.end.namespace && a.end.service === b.end.service;
}

function plainRule(rule: PlainRule, { clusters }: EngineTables): NativePlainRule {
  const { clusterName: cluster, protocol, routingName, allow } = rule;
  if (isHttp(protocol) || routingName !== undefined || carriage(clusters.get(cluster)) === 'none') return { mode: 'node' };
  return { mode: 'forward', cluster, allow };
}

function samePlain(a: NativePlainRule, b: NativePlainRule): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

const carriages = new WeakMap<ClusterTable, Carriage>();

/** `bare`: its endpoints get the bytes as they come, by TCP; `mtls`: some have to prove themselves first; `none`: not by the native engine. */
type Carriage = 'bare' | 'mtls' | 'none';

/** What leads to a cluster that is not known is carried by nobody, and so by either engine. */
function carriage(cluster: ClusterTable | undefined): Carriage {
  if (cluster === undefined) return 'bare';
  let known = carriages.get(cluster);
  if (known === undefined) {
    const { endpoints, proxyProtocol, traffic } = cluster;
    const special = proxyProtocol !== undefined || traffic?.tls !== undefined || endpoints.some(({ tunnel }) => tunnel !== undefined);
    known = special ? 'none' : endpoints.some(({ tls }) => tls !== undefined) ? 'mtls' : 'bare';
    carriages.set(cluster, known);
  }
  return known;
}
