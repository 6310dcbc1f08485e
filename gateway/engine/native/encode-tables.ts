import type { Clock } from '../../../core/clock.ts';
import type { ProxyNode } from '../../routing/index.ts';
import type { EndpointState } from '../../state/types.ts';
import type { CaptureRule } from '../capture-contract.ts';
import type { EngineTables } from '../contract.ts';
import { ejectionChanges } from './ejection-changes.ts';
import { encodeCapture, sameCapture } from './encode-capture.ts';
import { EncodedCluster } from './encode-cluster.ts';
import { encodeIdentity, SvidNames } from './encode-identity.ts';
import { encodeExposedRule, encodePlainRule, encodeSniRule, isCarried, sameExposed, samePlain, sameSni } from './encode-rules.ts';
import type { NativeCaptureRule, NativeCluster, NativeExposedRule, NativePlainRule, NativeSniRule, TablesChange } from './messages.ts';

const noCapture: ReadonlyMap<string, CaptureRule> = new Map();
const noExposed: NonNullable<EngineTables['exposed']> = new Map();

/**
 * Says of each change of the tables what the native engine has not been told: a change costs it what has changed, however large the tables
 * are. What it cannot carry itself is marked, and its connections come to TypeScript.
 */
export class TablesEncoder {
  readonly #random: () => number;
  readonly #clock: Clock;
  readonly #caller: ProxyNode;
  readonly #svids = new SvidNames();
  readonly #sni = new Map<string, NativeSniRule>();
  readonly #plain = new Map<string, NativePlainRule>();
  readonly #captured = new Map<string, NativeCaptureRule>();
  readonly #exposed = new Map<string, NativeExposedRule>();
  readonly #clusters = new Map<string, EncodedCluster>();
  readonly #endpoints = new Map<number, EndpointState>();
  #told: Partial<EngineTables> = {};
  /** Clusters that are not carried. */
  #strange: ReadonlySet<string> = new Set();
  #whole = false;
  #nextHandle = 1;

  /** `caller`: who callers of plain listeners are. */
  constructor(random: () => number, clock: Clock, caller: ProxyNode) {
    this.#random = random;
    this.#clock = clock;
    this.#caller = caller;
  }

  /** Undefined: nothing has changed for it. Maps of rules that are the same object as the last time are not looked at again, where they mean the same. */
  change(tables: EngineTables): TablesChange | undefined {
    const told = this.#told;
    const strange = this.#strange;
    const clusters = this.#changedClusters(tables);
    const moved = !sameNames(strange, this.#strange);
    const sni = moved || told.sni !== tables.sni ? this.#changedSni(tables) : {};
    const plain = moved || this.#concernsPlain(told, tables) ? this.#changedPlain(tables) : {};
    const captured = told.captured === tables.captured ? {} : this.#changedCaptured(tables);
    const exposed = moved || told.exposed !== tables.exposed ? this.#changedExposed(tables) : {};
    const { svid, trust } = tables;
    const identity = told.svid === svid && told.trust === trust ? {} : { identity: encodeIdentity(tables) };
    this.#told = tables;
    const whole = this.#whole ? { whole: true } : {};
    this.#whole = false;
    const changed = { ...whole, ...clusters, ...identity, ...sni, ...plain, ...captured, ...exposed };
    return Object.keys(changed).length === 0 ? undefined : changed;
  }

  #changedSni(tables: EngineTables): Pick<TablesChange, 'sni' | 'svids'> {
    const sni = difference(this.#sni, tables.sni, (rule) => encodeSniRule(rule, tables, (svid) => this.#svids.nameOf(svid)), sameSni);
    const svids = this.#svids.changes();
    return { ...(svids === undefined ? {} : { svids }), ...(sni === undefined ? {} : { sni }) };
  }

  #changedPlain(tables: EngineTables): Pick<TablesChange, 'plain'> {
    const plain = difference(this.#plain, tables.plain, (rule) => encodePlainRule(rule, tables, this.#caller), samePlain);
    return plain === undefined ? {} : { plain };
  }

  #changedCaptured(tables: EngineTables): Pick<TablesChange, 'captured'> {
    const captured = difference(this.#captured, tables.captured ?? noCapture, encodeCapture, sameCapture);
    return captured === undefined ? {} : { captured };
  }

  #changedExposed(tables: EngineTables): Pick<TablesChange, 'exposed'> {
    const exposed = difference(this.#exposed, tables.exposed ?? noExposed, (rule) => encodeExposedRule(rule, tables), sameExposed);
    return exposed === undefined ? {} : { exposed };
  }

  /** Rules that split ask how their clusters are spread. */
  #concernsPlain(told: Partial<EngineTables>, { plain, routings, clusters }: EngineTables): boolean {
    if (told.plain !== plain || told.routings !== routings) return true;
    return told.clusters !== clusters && [...this.#plain.values()].some(({ mode }) => mode === 'split');
  }

  /** What was told was not taken: the next change says everything. */
  forgetTold(): void {
    this.#sni.clear();
    this.#plain.clear();
    this.#captured.clear();
    this.#exposed.clear();
    this.#clusters.clear();
    this.#svids.forgetTold();
    this.#told = {};
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
    const ejections = ejectionChanges(this.#told.ejected ?? ejected, ejected);
    const strange = new Set<string>();
    let any = false;
    for (const [name, table] of clusters) {
      let known = this.#clusters.get(name);
      if (known?.stands(table) === true && !ejections.concern(table)) continue;
      if (!isCarried(table)) {
        strange.add(name);
        continue;
      }
      if (known === undefined) {
        known = new EncodedCluster(this.#random, this.#clock);
        this.#clusters.set(name, known);
      }
      const encoded = known.changed(table, ejected, (endpoint) => this.#handle(endpoint));
      if (encoded === undefined) continue;
      changes[name] = encoded;
      any = true;
    }
    this.#strange = strange;
    if (this.#clusters.size === clusters.size - strange.size) return any ? { clusters: changes } : {};
    for (const name of this.#clusters.keys()) {
      if (clusters.has(name) && !strange.has(name)) continue;
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

function sameNames(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  return one.size === other.size && [...one].every((name) => other.has(name));
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
