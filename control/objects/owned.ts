import type { AppliableObject, ObjectOwner, OwnedObject } from './contract.ts';
import { refOf } from './ref.ts';

/** An object with its owner's stamp, which decides between rules of one host as it does between owners of one name. */
export function ownedObject(
  document: OwnedObject['document'],
  object: AppliableObject,
  owner: ObjectOwner,
  createdAt: number,
): OwnedObject {
  return { ref: refOf(document, object), owner, createdAt, document, object: stamped(object, createdAt) };
}

function stamped(object: AppliableObject, createdAt: number): AppliableObject {
  if (!('createdAt' in object.spec) || object.spec.createdAt === createdAt) return object;
  return { ...object, spec: { ...object.spec, createdAt } } as AppliableObject;
}
