import type { AppliableObject, ObjectKey, ObjectOwner, ObjectRef, OwnedObject } from './contract.ts';

type Document = OwnedObject['document'];

export function objectKey({ group, kind, namespace, name }: ObjectRef): ObjectKey {
  return `${group}/${kind}/${namespace}/${name}`;
}

/** What `objectKey` made. */
export function refOfKey(key: ObjectKey): ObjectRef {
  const [group = '', kind = '', namespace = '', name = ''] = key.split('/');
  return { group, kind, namespace, name };
}

/** Of a document that was parsed: its own words for group and version, the parser's for the rest. */
export function refOf(document: Document, { kind, namespace, name }: AppliableObject): ObjectRef {
  const [group = ''] = String(document['apiVersion'] ?? '').split('/');
  return { group, kind, namespace, name };
}

export function ownerKey({ cluster, source }: ObjectOwner): string {
  return `${cluster} ${source}`;
}

/** `VirtualService shop/reviews`. */
export function describeKey(key: ObjectKey): string {
  const { kind, namespace, name } = refOfKey(key);
  return `${kind} ${namespace}/${name}`;
}
