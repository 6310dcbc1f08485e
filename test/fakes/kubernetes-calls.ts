import { type ApiObject, type FakeStorage, matchesSelector, type StoredObject } from './kubernetes-storage.ts';

/** What a Kubernetes API server answers to calls that are no watches. */

/** A request as the fake understood it. */
export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** `services`, `endpointslices`, ... */
  readonly collection: string;
  readonly namespace: string;
  readonly name: string;
  readonly watch: boolean;
}

export interface ApiAnswer {
  readonly code: number;
  readonly body: unknown;
}

/** A custom resource definition, as far as it is seen from outside. */
export interface Definition {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
}

/** APIGroupList of `/apis`, APIResourceList of `/apis/GROUP/VERSION`; undefined for other paths, and what nobody installed. */
export function discover(path: string, definitions: readonly Definition[]): object | undefined {
  if (path === '/apis') {
    const groups = [...new Set(definitions.map((d) => d.group))];
    const versionsOf = (name: string) => [...new Set(definitions.filter((d) => d.group === name).map((d) => d.version))];
    const group = (name: string) => ({ name, versions: versionsOf(name).map((v) => ({ groupVersion: `${name}/${v}`, version: v })) });
    return { kind: 'APIGroupList', groups: groups.map(group) };
  }
  const of = definitions.filter((d) => path === `/apis/${d.group}/${d.version}`);
  const resource = ({ plural, kind }: Definition) => [
    { name: plural, kind, namespaced: true, verbs: ['get', 'list', 'watch', 'create'] },
    { name: `${plural}/status`, kind, namespaced: true, verbs: ['get', 'update'] },
  ];
  return of.length === 0 ? undefined : { kind: 'APIResourceList', resources: of.flatMap(resource) };
}

export function failure(code: number, reason: string, message: string): ApiAnswer {
  return { code, body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, message, code } };
}

export function getObject(storage: FakeStorage, { collection, namespace, name }: ApiRequest): ApiAnswer {
  const object = storage.get(collection, namespace, name);
  return object === undefined ? failure(404, 'NotFound', `${collection} "${name}" not found`) : { code: 200, body: object };
}

export function listObjects(storage: FakeStorage, request: ApiRequest): ApiAnswer {
  const limit = Number(request.query.get('limit') ?? 0);
  const token = request.query.get('continue');
  const all = storage.list(request.collection).filter((object) => selects(request, object));
  const [version, start] = token === null ? [storage.version, 0] : decodeToken(token);
  if (version < storage.compactedAt) return failure(410, 'Expired', 'The provided continue parameter is too old');
  const end = limit === 0 ? all.length : Math.min(all.length, start + limit);
  const metadata = { resourceVersion: String(version), ...(end < all.length ? { continue: encodeToken(version, end) } : {}) };
  return { code: 200, body: { kind: 'List', apiVersion: 'v1', metadata, items: end === start ? null : all.slice(start, end) } };
}

export function createObject(storage: FakeStorage, { collection, namespace }: ApiRequest, object: ApiObject): ApiAnswer {
  const { name } = object.metadata;
  if (namespace !== '' && storage.get('namespaces', '', namespace) === undefined) {
    return failure(404, 'NotFound', `namespaces "${namespace}" not found`);
  }
  if (storage.get(collection, namespace, name) !== undefined)
    return failure(409, 'AlreadyExists', `${collection} "${name}" already exists`);
  if (!/^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(name)) return failure(422, 'Invalid', `"${name}" is invalid: metadata.name: Invalid value`);
  return { code: 201, body: storage.put(collection, { ...object, metadata: { ...object.metadata, namespace } }) };
}

export function replaceObject(storage: FakeStorage, { collection, namespace, name }: ApiRequest, object: ApiObject): ApiAnswer {
  const live = storage.get(collection, namespace, name);
  if (live === undefined) return failure(404, 'NotFound', `${collection} "${name}" not found`);
  const version = object.metadata['resourceVersion'];
  if (version !== undefined && version !== live.metadata.resourceVersion) {
    return failure(409, 'Conflict', `Operation cannot be fulfilled on ${collection} "${name}": the object has been modified`);
  }
  return { code: 200, body: storage.put(collection, { ...object, metadata: { ...object.metadata, namespace } }) };
}

export function deleteObject(storage: FakeStorage, { collection, namespace, name }: ApiRequest, body: unknown): ApiAnswer {
  const live = storage.get(collection, namespace, name);
  if (live === undefined) return failure(404, 'NotFound', `${collection} "${name}" not found`);
  const { uid, resourceVersion } = live.metadata;
  const wanted = (body as { preconditions?: { uid?: string; resourceVersion?: string } } | undefined)?.preconditions ?? {};
  if ((wanted.uid ?? uid) !== uid || (wanted.resourceVersion ?? resourceVersion) !== resourceVersion) {
    return failure(409, 'Conflict', `Precondition failed on ${collection} "${name}"`);
  }
  return { code: 200, body: storage.delete(collection, namespace, name) };
}

/** Whether a list or watch that asks for `request` holds the object. */
export function selects(request: ApiRequest, object: StoredObject): boolean {
  if (request.namespace !== '' && object.metadata.namespace !== request.namespace) return false;
  return matchesSelector(object, request.query.get('labelSelector') ?? '');
}

function encodeToken(version: number, start: number): string {
  return Buffer.from(JSON.stringify([version, start])).toString('base64url');
}

function decodeToken(token: string): [number, number] {
  return JSON.parse(Buffer.from(token, 'base64url').toString()) as [number, number];
}
