import { isDeepStrictEqual } from 'node:util';
import type { ObjectSelection } from '../../../core/config/index.ts';
import type { NativeObject, WatchedKind } from '../../../core/registry/index.ts';
import type { Violation } from '../../../core/validate.ts';
import type { AppliedDocument } from '../applied/stored.ts';
import type { ParseDocument } from '../candidates.ts';
import type { ObjectKey, ObjectOwner, ObjectSource, OwnedObject } from '../contract.ts';
import { ownedObject } from '../owned.ts';
import { describeKey, objectKey, refOfKey } from '../ref.ts';
import { type GatewayOwner, gatewayKind, isOthers, isOwnGateway, isRoute, isSelected, ownPart } from './select-object.ts';

export interface WatchedObjectsOptions {
  readonly owner: ObjectOwner;
  readonly selection: ObjectSelection;
  /** Those that are read of any object; empty: all. */
  readonly namespaces: readonly string[];
  readonly parse: ParseDocument;
  /** What is wrong with an object is not what it was; empty: nothing is, or it is gone. `kept`: an earlier one of it stays in force. */
  readonly onRefused: (key: ObjectKey, violations: readonly Violation[], kept: boolean) => void;
}

interface Entry {
  /** What was last looked at; undefined: nothing yet, all that is known is what an earlier process had. */
  readonly tried?: AppliedDocument;
  /** In force: the newest that could be used. */
  readonly good?: OwnedObject;
  readonly violations: readonly Violation[];
}

/** As JSON. */
const longestDocument = 256 * 1024;

/**
 * What one system's objects come to, object by object. One that cannot be used leaves the last that could in force. Until a kind
 * was read whole, what an earlier process had of it stands. Single-threaded, no I/O.
 */
export class WatchedObjects {
  readonly #options: WatchedObjectsOptions;
  readonly #natives = new Map<ObjectKey, NativeObject>();
  readonly #entries = new Map<ObjectKey, Entry>();
  /** Of the Gateways: namespaces that were read whole; undefined stands for all. */
  readonly #gatewaysOf = new Set<string | undefined>();
  #source: ObjectSource | undefined;
  #known = false;

  constructor(options: WatchedObjectsOptions) {
    this.#options = options;
  }

  /** What an earlier process had in force, as far as it would be read now. Before anything else. */
  restore(kept: ReadonlyMap<ObjectKey, AppliedDocument>): void {
    const { namespaces } = this.#options;
    for (const [key, stored] of kept) {
      const { kind, namespace } = refOfKey(key);
      if (!this.#wants(kind) || (namespaces.length > 0 && !namespaces.includes(namespace))) continue;
      const made = this.#make(key, stored);
      this.#set(key, 'ref' in made ? { good: made, violations: [] } : { violations: made });
    }
    // Also where all of it is of no use now: then there is nothing, and it is known.
    if (kept.size > 0) this.#known = true;
  }

  /** Everything of one kind in one namespace (undefined: in all). */
  replace(kind: WatchedKind, namespace: string | undefined, objects: readonly NativeObject[]): void {
    const within = (key: ObjectKey) => {
      const ref = refOfKey(key);
      return ref.group === kind.group && ref.kind === kind.kind && (namespace === undefined || ref.namespace === namespace);
    };
    const before = [...this.#natives.keys(), ...this.#entries.keys()].filter(within);
    for (const key of before) this.#natives.delete(key);
    const found = objects.map((o): [ObjectKey, NativeObject] => [objectKey({ ...kind, ...o }), o]);
    for (const [key, object] of found) this.#natives.set(key, object);
    if (isGateway(kind)) this.#gatewaysOf.add(namespace);
    this.#known = true;
    this.#changed(kind, new Set([...before, ...found.map(([key]) => key)]));
  }

  put(kind: WatchedKind, object: NativeObject): void {
    const key = objectKey({ ...kind, ...object });
    this.#natives.set(key, object);
    this.#changed(kind, [key]);
  }

  remove(kind: WatchedKind, namespace: string, name: string): void {
    const key = objectKey({ ...kind, namespace, name });
    this.#natives.delete(key);
    this.#changed(kind, [key]);
  }

  /** Undefined as long as nothing is known. The same object until something changes. */
  source(): ObjectSource | undefined {
    if (!this.#known) return undefined;
    if (this.#source !== undefined) return this.#source;
    const objects = new Map<ObjectKey, OwnedObject>();
    const refused: { key: ObjectKey; violations: readonly Violation[] }[] = [];
    for (const [key, { good, violations }] of this.#entries) {
      if (good !== undefined) objects.set(key, good);
      if (violations.length > 0) refused.push({ key, violations });
    }
    this.#source = { owner: this.#options.owner, objects, refused };
    return this.#source;
  }

  #changed(kind: WatchedKind, keys: Iterable<ObjectKey>): void {
    for (const key of keys) this.#consider(key, this.#natives.get(key));
    if (!isGateway(kind)) return;
    // Whose a Gateway is decides over the routes that name it.
    for (const [key, native] of this.#natives) {
      const ref = refOfKey(key);
      if (isRoute(ref.group, ref.kind)) this.#consider(key, native);
    }
  }

  #consider(key: ObjectKey, native: NativeObject | undefined): void {
    const document = native === undefined ? undefined : this.#ours(key, native);
    if (document === 'undecided') return;
    if (native === undefined || document === undefined) {
      this.#set(key, undefined);
      return;
    }
    const { createdAt } = native;
    const tried = { document, createdAt };
    const before = this.#entries.get(key);
    if (isDeepStrictEqual(before?.tried, tried)) return;
    const made = this.#make(key, tried);
    if (!('ref' in made)) {
      this.#set(key, { tried, ...(before?.good === undefined ? {} : { good: before.good }), violations: made });
      return;
    }
    const good = before?.good;
    const same = good?.createdAt === createdAt && isDeepStrictEqual(good.document, document);
    this.#set(key, { tried, good: same ? good : made, violations: [] });
  }

  /** What of an object is for this mesh; undefined: nothing. */
  #ours(key: ObjectKey, native: NativeObject): NativeObject['document'] | undefined | 'undecided' {
    const { selection } = this.#options;
    const ref = refOfKey(key);
    if (!this.#wants(ref.kind) || isOthers(native)) return undefined;
    if (isGateway(ref)) return isOwnGateway(native) ? native.document : undefined;
    if (!isRoute(ref.group, ref.kind)) return isSelected(native, selection) ? native.document : undefined;
    const part = ownPart(native, this.#gatewayOwner);
    if (part === 'undecided') return part;
    return part !== 'foreign' && (part.attached || isSelected(native, selection)) ? part.document : undefined;
  }

  readonly #gatewayOwner: GatewayOwner = (namespace, name) => {
    const gateway = this.#natives.get(objectKey({ ...gatewayKind, namespace, name }));
    if (gateway !== undefined) return isOwnGateway(gateway) && !isOthers(gateway) ? 'ours' : 'foreign';
    const { namespaces } = this.#options;
    const all = this.#gatewaysOf.has(undefined) || (namespaces.length > 0 && namespaces.every((each) => this.#gatewaysOf.has(each)));
    return all || this.#gatewaysOf.has(namespace) ? 'absent' : 'unknown';
  };

  #wants(kind: string): boolean {
    const { kinds } = this.#options.selection;
    return kinds.length === 0 || kinds.includes(kind);
  }

  #make(key: ObjectKey, { document, createdAt }: AppliedDocument): OwnedObject | readonly Violation[] {
    const bytes = JSON.stringify(document).length;
    if (bytes > longestDocument) return [{ path: '', message: `is larger than ${longestDocument} bytes` }];
    const checked = this.#options.parse({ file: describeKey(key), value: document, lineOf: () => 1 });
    return checked.ok ? ownedObject(document, checked.value, this.#options.owner, createdAt) : checked.violations;
  }

  #set(key: ObjectKey, entry: Entry | undefined): void {
    const before = this.#entries.get(key);
    if (entry === undefined) this.#entries.delete(key);
    else this.#entries.set(key, entry);
    const violations = entry?.violations ?? [];
    const sameViolations = isDeepStrictEqual(before?.violations ?? [], violations);
    if (!sameViolations) this.#options.onRefused(key, violations, entry?.good !== undefined);
    if (!sameViolations || before?.good !== entry?.good) this.#source = undefined;
  }
}

function isGateway({ group, kind }: Pick<WatchedKind, 'group' | 'kind'>): boolean {
  return group === gatewayKind.group && kind === gatewayKind.kind;
}
