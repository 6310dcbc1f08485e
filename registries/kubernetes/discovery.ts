import { MeshError } from '../../core/errors.ts';
import type { WatchedKind } from '../../core/registry/index.ts';
import type { KubernetesClient } from './client.ts';
import { type Fields, fieldsOf, listIn, textIn } from './fields.ts';

/** A kind as this API server serves it. */
export interface ServedKind {
  /** `networking.istio.io/v1`. */
  readonly apiVersion: string;
  /** Resource name in paths, `virtualservices`. */
  readonly plural: string;
}

/** Every kind at its first version that the server has. Throws MeshError as `KubernetesClient.get` does; then nothing is known. */
export async function servedKinds(
  client: KubernetesClient,
  kinds: readonly WatchedKind[],
  signal: AbortSignal,
): Promise<ReadonlyMap<WatchedKind, ServedKind>> {
  const known = versionsOf(await client.get('/apis', {}, signal));
  const resources = new Map<string, ReadonlyMap<string, string>>();
  const served = new Map<WatchedKind, ServedKind>();
  for (const kind of kinds) {
    for (const version of kind.versions) {
      const apiVersion = `${kind.group}/${version}`;
      if (served.has(kind) || !known.has(apiVersion)) continue;
      const plurals = resources.get(apiVersion) ?? pluralsOf(await client.get(`/apis/${apiVersion}`, {}, signal));
      resources.set(apiVersion, plurals);
      const plural = plurals.get(kind.kind);
      if (plural !== undefined) served.set(kind, { apiVersion, plural });
    }
  }
  return served;
}

/** APIGroupList → `GROUP/VERSION`. */
function versionsOf(body: unknown): ReadonlySet<string> {
  const list = fieldsOf(body);
  if (!Array.isArray(list['groups'])) {
    const message = 'GET /apis: the answer names no API groups; check that the server is a Kubernetes API server';
    throw new MeshError('PROTOCOL_ERROR', message, { retryable: true });
  }
  const groups = listIn(list, 'groups').map(fieldsOf);
  return new Set(groups.flatMap((group) => listIn(group, 'versions').map((v) => textIn(fieldsOf(v), 'groupVersion'))));
}

/** APIResourceList → kind → resource, of those that can be followed. */
function pluralsOf(body: unknown): ReadonlyMap<string, string> {
  const resources = listIn(fieldsOf(body), 'resources').map(fieldsOf);
  return new Map(resources.filter(canBeFollowed).map((resource) => [textIn(resource, 'kind'), textIn(resource, 'name')]));
}

/** Subresources such as `gateways/status` have the kind too. */
function canBeFollowed(resource: Fields): boolean {
  const verbs = listIn(resource, 'verbs');
  return !textIn(resource, 'name').includes('/') && resource['namespaced'] === true && verbs.includes('list') && verbs.includes('watch');
}
