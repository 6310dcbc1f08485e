import type { Protocol } from '../model/index.ts';

/** What a registration may say about itself beyond its registry's own fields. */
export type Hint = 'protocol' | 'service-account' | 'port-name' | 'port' | 'locality';

/**
 * The value of a hint, from where registries can carry it: meta `isthmus-HINT` (Consul allows no dot or slash in a key),
 * meta or label `isthmus.dev/HINT`, or a tag `isthmus.dev/HINT=VALUE`. Undefined when none says it.
 */
export function readHint(meta: Readonly<Record<string, string>>, tags: readonly string[], hint: Hint): string | undefined {
  for (const key of [`isthmus-${hint}`, `isthmus.dev/${hint}`]) if (Object.hasOwn(meta, key)) return meta[key];
  const prefix = `isthmus.dev/${hint}=`;
  return tags.find((tag) => tag.startsWith(prefix))?.slice(prefix.length);
}

const protocols: readonly Protocol[] = ['tcp', 'http', 'http2', 'grpc', 'tls'];

export function parseProtocol(text: string): Protocol | undefined {
  return protocols.find((p) => p === text.toLowerCase());
}

const serviceAccountForm = /^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,251}[a-zA-Z0-9])?$/;

/** What a SPIFFE path segment of a service account may be. */
export function isServiceAccount(text: string): boolean {
  return serviceAccountForm.test(text);
}

/**
 * What endpoints are selected by: meta as it is, a tag `k=v` as k → v and any other tag as tag → `true`; meta wins.
 * Isthmus' own hints are left out.
 */
export function labelsOf(meta: Readonly<Record<string, string>>, tags: readonly string[]): Record<string, string> {
  const labels = new Map<string, string>();
  for (const tag of tags) {
    const at = tag.indexOf('=');
    if (at === -1) labels.set(tag, 'true');
    else if (at > 0) labels.set(tag.slice(0, at), tag.slice(at + 1));
  }
  for (const [key, value] of Object.entries(meta)) labels.set(key, value);
  const own = (key: string) => key.startsWith('isthmus-') || key.startsWith('isthmus.dev/');
  return Object.fromEntries([...labels].filter(([key]) => !own(key)).sort(([a], [b]) => (a < b ? -1 : 1)));
}
