import { randomUUID } from 'node:crypto';
import type { ClusterTable, ConnectionSource } from '../engine/index.ts';
import { RequestView } from '../routing/index.ts';
import type { RequestHead } from './message.ts';

export interface RequestHash {
  readonly hash?: string;
  /** A session begins: goes with the answer. */
  readonly setCookie?: string;
  /** Of that cookie. */
  readonly cookie?: string;
}

const none: RequestHash = {};

/**
 * What the cluster's hash balancing goes by: `request` as it goes on, after its rule's changes, as in Envoy. A cookie that is to be
 * set is made here, so that its first request goes where the later ones will; `before`: what was made of the same request already.
 */
export function hashOf(
  { traffic }: Pick<ClusterTable, 'traffic'>,
  request: RequestHead,
  source: ConnectionSource,
  before: RequestHash = none,
): RequestHash {
  const balancer = traffic?.loadBalancer;
  if (balancer?.type !== 'hash') return none;
  const { on } = balancer;
  switch (on.type) {
    case 'source-address':
      return { hash: source.address };
    case 'header':
      return found(new RequestView(request).header(on.name));
    case 'query':
      return found(new RequestView(request).query(on.name));
    case 'cookie': {
      const value = cookieOf(request, on.name);
      if (value !== undefined || on.ttlMs === undefined) return found(value);
      if (before.cookie === on.name) return before;
      const made = randomUUID();
      const age = on.ttlMs === 0 ? '' : `; Max-Age=${Math.ceil(on.ttlMs / 1_000)}`;
      const path = on.path === '' ? '' : `; Path=${on.path}`;
      return { hash: made, setCookie: `${on.name}="${made}"${age}${path}; HttpOnly`, cookie: on.name };
    }
  }
}

function found(value: string | undefined): RequestHash {
  return value === undefined ? none : { hash: value };
}

/** An empty one is none. */
function cookieOf(request: RequestHead, name: string): string | undefined {
  const { headers } = request;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (headers[i] !== 'cookie') continue;
    for (const part of (headers[i + 1] ?? '').split(';')) {
      const equals = part.indexOf('=');
      if (equals >= 0 && part.slice(0, equals).trim() === name) return unquoted(part.slice(equals + 1).trim()) || undefined;
    }
  }
  return undefined;
}

function unquoted(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}
