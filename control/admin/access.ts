import type { AccessPolicyObject, Role } from '../../core/config/index.ts';

/** Somebody who has proven who they are. */
export interface Caller {
  /** A SPIFFE id, or `credential:NAME`; what AccessPolicies name and audit lines hold. */
  readonly subject: string;
  /** The cluster that issued the SVID; empty for credentials. */
  readonly cluster: string;
}

export const firstAdmin: Caller = { subject: 'credential:first-admin', cluster: '' };

const rank: Readonly<Record<Role, number>> = { viewer: 1, editor: 2, operator: 3, admin: 4 };

/** What a caller may do, by the policies of this moment. */
export interface Grants {
  /** Whether the caller has at least this role in the namespace; `*` asks for the whole mesh. */
  has(role: Role, namespace: string): boolean;
  /** In any namespace. */
  hasAnywhere(role: Role): boolean;
}

/** Pure. Without a policy nobody but the first admin has any right; policies only ever add. */
export function grantsOf(caller: Caller, policies: readonly AccessPolicyObject[]): Grants {
  const granted = new Map<string, number>();
  const add = (namespace: string, role: Role) => granted.set(namespace, Math.max(granted.get(namespace) ?? 0, rank[role]));
  if (caller.subject === firstAdmin.subject) add('*', 'admin');
  for (const { spec } of policies) {
    if (!spec.subjects.some((pattern) => matches(pattern, caller.subject))) continue;
    for (const namespace of spec.namespaces) add(namespace, spec.role);
  }
  const of = (namespace: string) => Math.max(granted.get('*') ?? 0, granted.get(namespace) ?? 0);
  return {
    has: (role, namespace) => of(namespace) >= rank[role],
    hasAnywhere: (role) => [...granted.values()].some((r) => r >= rank[role]),
  };
}

function matches(pattern: string, subject: string): boolean {
  return pattern.endsWith('*') ? subject.startsWith(pattern.slice(0, -1)) : pattern === subject;
}
