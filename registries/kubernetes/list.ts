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
    const page = fieldsOf(await client.get(path, { ...query, continue: next }, signal));
    const metadata = fieldsIn(page, 'metadata');
    const raw = page['items'];
    const resourceVersion = textIn(metadata, 'resourceVersion');
    // `items: null` is how Go writes an empty list.
    if (resourceVersion === '' || !(Array.isArray(raw) || raw === null)) {
      throw new MeshError('PROTOCOL_ERROR', `GET ${path}: the answer is no list; check that the server is a Kubernetes API server`);
    }
    for (const item of raw ?? []) {
      const kept = project(item);
      if (kept !== undefined) items.push(kept);
    }
    if (items.length > maxObjects) {
      throw new MeshError('LIMIT_EXCEEDED', `GET ${path}: more than ${maxObjects} objects; narrow connection.namespaces`);
    }
    next = textIn(metadata, 'continue');
    if (next === '') return { items, resourceVersion };
    if (seen.has(next)) throw new MeshError('PROTOCOL_ERROR', `GET ${path}: the same continue token twice`);
    seen.add(next);
  }
}
