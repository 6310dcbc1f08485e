import { MeshError } from '../../core/errors.ts';
import type { KubernetesClient, Query } from './client.ts';
import { fieldsIn, fieldsOf, textIn } from './fields.ts';

export interface ListLimits {
  /** Objects a page. */
  readonly pageSize: number;
  /** Most objects of one resource. */
  readonly maxObjects: number;
}

export interface Listed<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
}

/** How often a list starts again when its continue token expires between two pages, before it asks for all at once. */
const pagedTries = 3;

/**
 * Everything of one resource at one version, page by page (Kubernetes API concepts, "Retrieving large results sets in chunks").
 * `project` drops what it does not keep, page by page, so that no more than a page is held whole.
 */
export async function listAll<T>(
  client: KubernetesClient,
  path: string,
  query: Query,
  limits: ListLimits,
  project: (raw: unknown) => T | undefined,
  signal: AbortSignal,
): Promise<Listed<T>> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await listPages(
        client,
        path,
        { ...query, limit: tries > pagedTries ? undefined : limits.pageSize },
        limits.maxObjects,
        project,
        signal,
      );
    } catch (error) {
      if (!(error instanceof MeshError) || error.code !== 'COMPACTED' || tries > pagedTries) throw error;
    }
  }
}

/** At most one object, and the version the server is at now. */
export function listFirst<T>(
  client: KubernetesClient,
  path: string,
  query: Query,
  project: (raw: unknown) => T | undefined,
  signal: AbortSignal,
): Promise<Listed<T>> {
  return listPage(client, path, { ...query, limit: 1 }, project, signal);
}

async function listPages<T>(
  client: KubernetesClient,
  path: string,
  query: Query,
  maxObjects: number,
  project: (raw: unknown) => T | undefined,
  signal: AbortSignal,
): Promise<Listed<T>> {
  const items: T[] = [];
  const seen = new Set<string>();
  let next = '';
  for (;;) {
    const page = await listPage(client, path, { ...query, continue: next }, project, signal);
    for (const item of page.items) items.push(item);
    if (items.length > maxObjects) {
      throw new MeshError('LIMIT_EXCEEDED', `GET ${path}: more than ${maxObjects} objects; narrow connection.namespaces`);
    }
    next = page.next;
    if (next === '') return { items, resourceVersion: page.resourceVersion };
    if (seen.has(next)) throw new MeshError('PROTOCOL_ERROR', `GET ${path}: the same continue token twice`, { retryable: true });
    seen.add(next);
  }
}

async function listPage<T>(
  client: KubernetesClient,
  path: string,
  query: Query,
  project: (raw: unknown) => T | undefined,
  signal: AbortSignal,
): Promise<Listed<T> & { readonly next: string }> {
  const page = fieldsOf(await client.get(path, query, signal));
  const metadata = fieldsIn(page, 'metadata');
  const raw = page['items'];
  const resourceVersion = textIn(metadata, 'resourceVersion');
  // `items: null` is how Go writes an empty list.
  if (resourceVersion === '' || !(Array.isArray(raw) || raw === null)) {
    const message = `GET ${path}: the answer is no list; check that the server is a Kubernetes API server`;
    throw new MeshError('PROTOCOL_ERROR', message, { retryable: true });
  }
  const items = (raw ?? []).flatMap((item) => project(item) ?? []);
  return { items, resourceVersion, next: textIn(metadata, 'continue') };
}
