import assert from 'node:assert/strict';
import { parserFor } from '../../control/assemble/objects.ts';
import { type OwnedObject, objectKey, ownedObject } from '../../control/objects/index.ts';
import { ObjectSet } from '../../control/objects/object-set.ts';
import { decodePeerResource } from '../../control/peering/decode-peering.ts';
import type { KeptChange, KeptWaiting } from '../../control/peering/object-records.ts';
import { PeerObjects } from '../../control/peering/peer-objects.ts';
import { SharedObjects, type SharedSet } from '../../control/peering/shared-objects.ts';
import { silentLog } from '../../core/log.ts';
import { clusterId } from '../../core/model/index.ts';
import { type EncodedResource, peeringTypeUrls as urls } from '../../core/xds/index.ts';
import { ManualClock } from './manual-clock.ts';

type Rules = ReadonlyMap<string, OwnedObject>;

const owner = { cluster: 'west', source: 'api' };
const graceMs = 2_000;

function rule(name: string, timeout: string, createdAt: number): OwnedObject {
  const http = [{ route: [{ destination: { host: 'x.shop.mesh.internal' } }], timeout }];
  const metadata = { namespace: 'shop', name };
  const document = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata,
    spec: { hosts: [`${name}.example.org`], http },
  };
  const read = parserFor('mesh.test')({ file: 'f', value: document, lineOf: () => 1 });
  assert.ok(read.ok);
  return ownedObject(document, read.value, owner, createdAt);
}

function timeoutOf({ document }: OwnedObject): string {
  return (document['spec'] as { http: { timeout: string }[] }).http[0]?.timeout ?? '';
}

const written = (rules: Rules) => Object.fromEntries([...rules].sort(([a], [b]) => (a < b ? -1 : 1)).map(([n, o]) => [n, timeoutOf(o)]));

/** West, which owns rules, and what east holds of them, over a link that breaks and through restarts of east. Deterministic. */
export class TentativeScene {
  readonly clock = new ManualClock(1_900_000_000_000);
  readonly kept = { objects: new Map<string, Uint8Array>(), ages: new Map<string, number>(), waiting: new Map<string, KeptWaiting>() };
  peer: PeerObjects;
  /** False: the link breaks after additions and changes, before what is taken away. */
  removes = true;
  #keptOnce: { known?: number | undefined; lead?: number | undefined } = {};
  #set = new ObjectSet();
  readonly #skewMs: number;
  #rules: Rules = new Map();
  #tentative: { readonly before: Rules; readonly confirmBy: number } | undefined;
  #revision = 0;
  /** As east last heard it. */
  #heard: { readonly rules: Rules; readonly tentative: { readonly before: Rules; readonly confirmBy: number } | undefined };
  #connected = true;
  /** What the stream has sent. */
  #sent = new Map<string, Map<string, EncodedResource>>();
  readonly #shared = new SharedObjects('west', () => this.clock.now());

  /** `skewMs`: that west's clock is ahead. */
  constructor(skewMs: number) {
    this.#skewMs = skewMs;
    this.#heard = { rules: this.#rules, tentative: undefined };
    this.peer = this.#started();
    this.connect(true);
  }

  apply(name: string, timeout: string | undefined): void {
    if (this.#tentative === undefined) this.#change([[name, timeout]]);
  }

  try(changes: readonly (readonly [name: string, timeout: string | undefined])[], withinMs: number): void {
    if (this.#tentative !== undefined) return;
    this.#tentative = { before: this.#rules, confirmBy: this.#now() + withinMs };
    this.#change(changes);
  }

  confirm(): void {
    this.#tentative = undefined;
    this.#deliver();
  }

  rollback(): void {
    this.#rules = this.#tentative?.before ?? this.#rules;
    this.confirm();
  }

  cut(): void {
    if (this.#connected) this.peer.lost();
    this.#connected = false;
  }

  /** `fresh`: of a new epoch; otherwise it resumes. */
  connect(fresh: boolean): void {
    this.#connected = true;
    if (fresh) this.#sent = new Map();
    this.peer.opened(fresh);
    this.peer.heard(this.#now());
    this.#deliver(true);
  }

  /** East, which stays cut off. */
  restart(downMs: number): void {
    this.cut();
    this.peer.end();
    this.pass(downMs);
    this.#set = new ObjectSet();
    this.#sent = new Map();
    this.peer = this.#started();
  }

  pass(ms: number): void {
    this.clock.advance(ms);
    if (this.#tentative !== undefined && this.#tentative.confirmBy <= this.#now()) this.rollback();
    if (this.#connected) this.peer.heard(this.#now());
  }

  /** Name → timeout. */
  inForce(): Record<string, string> {
    return written(new Map([...this.#set.current().objects.values()].map((o) => [o.ref.name, o])));
  }

  expected(): Record<string, string> {
    if (this.#connected) return written(this.#rules);
    const { rules, tentative } = this.#heard;
    return written(tentative !== undefined && this.#now() >= tentative.confirmBy + graceMs ? tentative.before : rules);
  }

  ageOf(name: string): number | undefined {
    return this.#set.current().objects.get(`networking.istio.io/VirtualService/shop/${name}`)?.createdAt;
  }

  #now(): number {
    return this.clock.now() + this.#skewMs;
  }

  #change(changes: readonly (readonly [name: string, timeout: string | undefined])[]): void {
    const rules = new Map(this.#rules);
    for (const [name, timeout] of changes) {
      if (timeout === undefined) rules.delete(name);
      else rules.set(name, rule(name, timeout, rules.get(name)?.createdAt ?? this.#now()));
    }
    this.#rules = rules;
    this.#deliver();
  }

  #deliver(mark = false): void {
    this.#revision += 1;
    const byKey = (rules: Rules) => new Map([...rules.values()].map((o) => [objectKey(o.ref), o]));
    const [objects, before] = [byKey(this.#rules), byKey(this.#tentative?.before ?? new Map())];
    const changed = new Map([...new Set([...objects.keys(), ...before.keys()])].map((key) => [key, before.get(key)]));
    const tentative = this.#tentative && { revision: this.#revision, confirmBy: this.#tentative.confirmBy, fallback: changed };
    const set = this.#shared.update([{ owner, objects, ...(tentative === undefined ? {} : { tentative }) }]);
    if (!this.#connected) return;
    this.#heard = { rules: this.#rules, tentative: this.#tentative };
    this.#send(set, mark);
  }

  /** Additions and changes in order, removals in reverse; each type is an update of its own. */
  #send({ resources, tentative, state }: SharedSet, mark: boolean): void {
    const { peer } = this;
    const types = [
      [urls.tentativeObject, tentative],
      [urls.sharedObject, resources],
    ] as const;
    for (const [typeUrl, all] of types) {
      for (const { name, version, value } of all) {
        if (this.#sentOf(typeUrl).get(name)?.version === version) continue;
        this.#sentOf(typeUrl).set(name, { name, version, value });
        const decoded = decodePeerResource(typeUrl, name, value);
        assert.ok(decoded.ok, JSON.stringify(decoded));
        if (decoded.value.kind === 'tentative') assert.deepEqual(peer.takeTentative(name, decoded.value.value), []);
        if (decoded.value.kind === 'object') assert.deepEqual(peer.take(name, decoded.value.value, value), []);
      }
      if (!mark) peer.settle();
    }
    peer.words.told({ ...state, refused: [], refusedObjects: 0 });
    for (const [typeUrl, all] of this.removes ? [...types].reverse() : []) {
      for (const name of [...this.#sentOf(typeUrl).keys()]) {
        if (all.some((r) => r.name === name)) continue;
        this.#sentOf(typeUrl).delete(name);
        peer.remove(typeUrl, name);
      }
      if (!mark) peer.settle();
    }
    if (mark) peer.synced();
  }

  #sentOf(typeUrl: string): Map<string, EncodedResource> {
    const sent = this.#sent.get(typeUrl) ?? new Map<string, EncodedResource>();
    this.#sent.set(typeUrl, sent);
    return sent;
  }

  #started(): PeerObjects {
    const { clock, kept } = this;
    const peer = new PeerObjects({
      cluster: clusterId('west'),
      sink: this.#set,
      parse: parserFor('mesh.test'),
      namespaces: () => ['*'],
      clock,
      log: silentLog,
      keep: (change) => this.#keep(change),
      onChange: () => {},
    });
    const { known, lead } = this.#keptOnce;
    peer.restore({ ...kept, ...(known === undefined ? {} : { knownAt: known }), ...(lead === undefined ? {} : { lead }) });
    return peer;
  }

  #keep(change: KeptChange): void {
    const { objects, ages, waiting } = this.kept;
    const put = <T>(map: Map<string, T>, name: string, value: T | undefined) =>
      value === undefined ? map.delete(name) : map.set(name, value);
    if (change.kind === 'known') this.#keptOnce.known = change.at;
    else if (change.kind === 'lead') this.#keptOnce.lead = change.by;
    else if (change.kind === 'object') put(objects, change.name, change.bytes);
    else if (change.kind === 'age') put(ages, change.name, change.at);
    else put(waiting, change.name, change.value);
  }
}
