import type { Violation } from '../../core/validate.ts';
import type { AppliedState } from './applied/read-state.ts';
import type { AppliedObjects } from './applied/steps.ts';
import type { AppliedDocument } from './applied/stored.ts';
import type { ParseDocument } from './candidates.ts';
import type { ObjectKey, ObjectOwner, ObjectSource, OwnedObject, TentativeChanges } from './contract.ts';
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

  source(state: AppliedState): ObjectSource {
    const { source, known } = this.#read(state.objects);
    this.#known = known;
    const tentative = this.#tentative(state);
    return tentative === undefined ? source : { ...source, tentative };
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

  #tentative({ head, fallback }: AppliedState): TentativeChanges | undefined {
    if (head.tentative === undefined) return undefined;
    const { revision, confirmBy } = head.tentative;
    const before = [...fallback].map(([key, stored]): [ObjectKey, OwnedObject | undefined] => {
      const made = stored && this.#make(key, stored);
      return [key, made !== undefined && 'document' in made ? made : undefined];
    });
    return { revision, confirmBy, fallback: new Map(before) };
  }

  #make(key: ObjectKey, { document, createdAt }: AppliedDocument): OwnedObject | readonly Violation[] {
    const checked = this.#parse({ file: describeKey(key), value: document, lineOf: () => 1 });
    return checked.ok ? ownedObject(document, checked.value, this.#owner, createdAt) : checked.violations;
  }
}
