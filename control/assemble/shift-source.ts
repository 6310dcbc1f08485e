import { MeshError } from '../../core/errors.ts';
import { deepEqual } from '../../core/registry/index.ts';
import { formatViolation } from '../../core/validate.ts';
import type { ShiftDocument } from '../migrate/index.ts';
import {
  type ObjectKey,
  type ObjectOwner,
  type ObjectSource,
  type OwnedObject,
  objectKey,
  ownedObject,
  type ParseDocument,
} from '../objects/index.ts';

/** The shifts of this cluster's migrations as a source of objects. What did not change is the same object. */
export class ShiftSource {
  readonly #owner: ObjectOwner;
  readonly #parse: ParseDocument;
  #known: readonly (readonly [ShiftDocument, OwnedObject])[] = [];

  constructor(cluster: string, parse: ParseDocument) {
    this.#owner = { cluster, source: 'migrations' };
    this.#parse = parse;
  }

  source(shifts: readonly ShiftDocument[]): ObjectSource {
    this.#known = shifts.map((shift) => [shift, this.#known.find(([before]) => deepEqual(before, shift))?.[1] ?? this.#make(shift)]);
    return {
      owner: this.#owner,
      objects: new Map(this.#known.map(([, object]): [ObjectKey, OwnedObject] => [objectKey(object.ref), object])),
    };
  }

  #make({ namespace, name, createdAt, document }: ShiftDocument): OwnedObject {
    const checked = this.#parse({ file: `TrafficShift ${namespace}/${name}`, value: document, lineOf: () => 1 });
    // Made here of what was checked when it was applied.
    if (!checked.ok) throw new MeshError('INTERNAL', checked.violations.map(formatViolation).join('; '));
    return ownedObject(document, checked.value, this.#owner, createdAt);
  }
}
