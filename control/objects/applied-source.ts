import type { Violation } from '../../core/validate.ts';
import type { AppliedObjects } from './applied/steps.ts';
import type { AppliedDocument } from './applied/stored.ts';
import type { ParseDocument } from './candidates.ts';
import type { ObjectKey, ObjectOwner, ObjectSource, OwnedObject } from './contract.ts';
import { ownedObject } from './owned.ts';
import { describeKey } from './ref.ts';

/**
 * What was applied as a source of objects. It was parsed when it was applied, but perhaps by another version: what this one does not
 * understand is refused alone, and blocks nothing. What did not change is not parsed again.
 */
export class AppliedSource {
  readonly #owner: ObjectOwner;
  readonly #parse: ParseDocument;
  #known = new Map<AppliedDocument, OwnedObject | readonly Violation[]>();

  constructor(owner: ObjectOwner, parse: ParseDocument) {
    this.#owner = owner;
    this.#parse = parse;
  }

  source(applied: AppliedObjects): ObjectSource {
    const { source, known } = this.#read(applied);
    this.#known = known;
    return source;
  }

  /** As `source`, of what is not applied. */
  preview(applied: AppliedObjects): ObjectSource {
    return this.#read(applied).source;
  }

  #read(applied: AppliedObjects): { source: ObjectSource; known: Map<AppliedDocument, OwnedObject | readonly Violation[]> } {
    const known = new Map<AppliedDocument, OwnedObject | readonly Violation[]>();
    const objects = new Map<ObjectKey, OwnedObject>();
    const refused: { key: ObjectKey; violations: readonly Violation[] }[] = [];
    for (const [key, stored] of applied) {
      const made = this.#known.get(stored) ?? this.#make(key, stored);
      known.set(stored, made);
      if ('document' in made) objects.set(key, made);
      else refused.push({ key, violations: made });
    }
    return { source: { owner: this.#owner, objects, refused }, known };
  }

  #make(key: ObjectKey, { document, createdAt }: AppliedDocument): OwnedObject | readonly Violation[] {
    const checked = this.#parse({ file: describeKey(key), value: document, lineOf: () => 1 });
    return checked.ok ? ownedObject(document, checked.value, this.#owner, createdAt) : checked.violations;
  }
}
