import type { TrustBundle } from '../core/identity/index.ts';
import type { ClusterTable, PlainRule, SniRule } from './engine/index.ts';
import type { AssignmentState, AuthzState, ClusterState, DataPlaneState } from './state/index.ts';

/** The part of an engine's tables that says where connections go. */
export interface Rules {
  readonly sni: ReadonlyMap<string, SniRule>;
  readonly plain: ReadonlyMap<string, PlainRule>;
  readonly clusters: ReadonlyMap<string, ClusterTable>;
}

const made = new WeakMap<ClusterState, { readonly assignment: AssignmentState | undefined; readonly table: ClusterTable }>();

/** Tables of clusters that did not change are the same objects. */
export function clusterTables(state: DataPlaneState): Map<string, ClusterTable> {
  const tables = new Map<string, ClusterTable>();
  for (const [name, cluster] of state.clusters) {
    const assignment = state.assignments.get(name);
    const known = made.get(cluster);
    if (known !== undefined && known.assignment === assignment) {
      tables.set(name, known.table);
      continue;
    }
    const { host, namespace, service, connectTimeoutMs } = cluster;
    const table = { name, host, namespace, service, connectTimeoutMs, endpoints: assignment?.endpoints ?? [] };
    made.set(cluster, { assignment, table });
    tables.set(name, table);
  }
  return tables;
}

/** Where no Authz resource is known nobody may call: a policy that is late must not be an open door. */
export function authzOrNobody(state: DataPlaneState, name: string): AuthzState {
  return state.authz.get(name) ?? { name, rules: [] };
}

export function trustOf(state: DataPlaneState, issuers: TrustBundle): TrustBundle {
  return state.bundles.get(issuers.trustDomain) ?? issuers;
}

/** An east-west gateway: SNI routes, and originate listeners by their resource name. Pure. */
export function gatewayRules(state: DataPlaneState): Rules {
  const sni = new Map<string, SniRule>();
  for (const route of state.routes.values()) {
    const { name, clusterName, protocol } = route;
    if (route.mode === 'passthrough') {
      sni.set(name, { mode: 'passthrough', clusterName });
      continue;
    }
    const cluster = state.clusters.get(clusterName);
    const end = { namespace: cluster?.namespace ?? '', service: cluster?.service ?? '' };
    sni.set(name, { mode: 'terminate', clusterName, protocol, authz: authzOrNobody(state, route.authzName), end });
  }
  const plain = new Map<string, PlainRule>();
  for (const listener of state.listeners.values()) {
    if (listener.kind !== 'originate') continue;
    plain.set(listener.name, { clusterName: listener.clusterName, protocol: listener.protocol, allow: listener.allowedCidrs });
  }
  return { sni, plain, clusters: clusterTables(state) };
}
