import type { TrustBundle } from '../core/identity/index.ts';
import { withOthers } from '../core/pki/index.ts';
import type { Routing } from '../core/traffic/index.ts';
import type { CaptureRule, ClusterTable, ExposedRule, IngressRule, PlainRule, SniRule } from './engine/index.ts';
import type { AssignmentState, AuthzState, ClusterState, DataPlaneState } from './state/index.ts';
import { tunnelRule, withHeldTunnels } from './tunnel/tables.ts';

/** The part of an engine's tables that says where connections go. */
export interface Rules {
  readonly sni: ReadonlyMap<string, SniRule>;
  readonly plain: ReadonlyMap<string, PlainRule>;
  readonly ingress?: ReadonlyMap<string, IngressRule>;
  readonly exposed?: ReadonlyMap<string, ExposedRule>;
  readonly captured?: ReadonlyMap<string, CaptureRule>;
  readonly clusters: ReadonlyMap<string, ClusterTable>;
  readonly routings: ReadonlyMap<string, Routing>;
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
    const table = tableOf(cluster, assignment);
    made.set(cluster, { assignment, table });
    tables.set(name, table);
  }
  return tables;
}

function tableOf(cluster: ClusterState, assignment: AssignmentState | undefined): ClusterTable {
  const { name, host, namespace, service, protocol, traffic } = cluster;
  const connectTimeoutMs = traffic?.connections?.connectTimeoutMs ?? cluster.connectTimeoutMs;
  const { endpoints = [], localities } = assignment ?? {};
  const policy = { ...(traffic === undefined ? {} : { traffic }), ...(localities === undefined ? {} : { localities }) };
  return { name, host, namespace, service, protocol, connectTimeoutMs, endpoints, ...policy };
}

/** A name that leads nowhere yet is left out: until its rules are known, traffic goes as if there were none. */
export function knownRouting(routings: ReadonlyMap<string, Routing>, name: string | undefined): { readonly routingName?: string } {
  return name !== undefined && routings.has(name) ? { routingName: name } : {};
}

/** Where no Authz resource is known nobody may call: a policy that is late must not be an open door. */
export function authzOrNobody(state: DataPlaneState, name: string): AuthzState {
  return state.authz.get(name) ?? { name, rules: [], unknown: true };
}

const trusts = new WeakMap<DataPlaneState['bundles'], { readonly issuers: TrustBundle; readonly trust: TrustBundle }>();

/** The same object for the same bundles: TLS contexts and compiled bundles are kept by it. What is not marked as of another domain is not taken for one. */
export function trustOf({ bundles }: DataPlaneState, issuers: TrustBundle): TrustBundle {
  const known = trusts.get(bundles);
  if (known?.issuers === issuers) return known.trust;
  const own = bundles.get(issuers.trustDomain);
  const others = [...bundles.values()].filter((bundle) => bundle.federated === true);
  const trust = withOthers(own === undefined || own.federated === true ? issuers : own, others);
  trusts.set(bundles, { issuers, trust });
  return trust;
}

/** An east-west gateway: SNI routes, tunnels, and originate listeners by their resource name. Pure. */
export function gatewayRules(state: DataPlaneState, isHeld: (tunnel: string) => boolean = () => false): Rules {
  const sni = new Map<string, SniRule>([tunnelRule]);
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
    const { name, clusterName, protocol, allowedCidrs: allow, routingName } = listener;
    plain.set(name, { clusterName, protocol, allow, ...knownRouting(state.routings, routingName) });
  }
  return { sni, plain, clusters: withHeldTunnels(clusterTables(state), isHeld), routings: state.routings };
}
