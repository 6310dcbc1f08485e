import { isIP } from 'node:net';
import { parseSniName, sniName } from '../../../core/model/index.ts';
import type { ClusterIr, EndpointIr } from '../ir.ts';

/**
 * Endpoints that one TLS context fits, as gRPC has one for each xDS cluster, and that are tried together: of one mesh cluster, one kind of
 * mTLS end, one way there.
 */
export interface EndpointGroup {
  /** `MESH-CLUSTER.KIND`, and where some are farther than others `.pPRIORITY`; unique within a port. */
  readonly key: string;
  readonly cluster: string;
  readonly priority: number;
  /** Of all its endpoints. */
  readonly weight: number;
  /** Absent: plaintext. Any of these URI SANs, under the anchor of `cluster`. Never empty, as an empty list accepts every name. */
  readonly uriSans?: readonly string[];
  /** Behind a gateway: the SNI that it routes by. */
  readonly sni?: string;
  /** No address twice. */
  readonly endpoints: readonly EndpointIr[];
}

/** What dialling one target leads to. */
export interface TargetPlan {
  /** What comes after `xds:///`, and the name of the Listener. */
  readonly target: string;
  /** In the order of their priorities; heavier ones first within one. Empty: nobody is there. */
  readonly groups: readonly EndpointGroup[];
}

/**
 * The targets of one service port. `HOST:PORT` leads to what is reached directly. gRPC sends the target's host as SNI and takes no
 * other one, so that what is behind gateways has the SNI itself as target, `outbound_.PORT_._.HOST`, which leads to the direct ones too.
 */
export function planPort(cluster: ClusterIr, endpoints: readonly EndpointIr[], anchors: readonly string[]): readonly TargetPlan[] {
  const groups = groupEndpoints(endpoints.filter((e) => anchors.includes(e.cluster) && isIP(e.address) !== 0 && takesConnections(e)));
  const { host, port } = cluster;
  const direct = groups.filter((g) => g.sni === undefined);
  const snis = new Set([sniName({ port, subset: '', host }), ...groups.flatMap((g) => (g.sni === undefined ? [] : [g.sni]))]);
  return [
    { target: `${host}:${port}`, groups: direct },
    ...[...snis].sort().map((sni) => ({ target: sni, groups: groups.filter((g) => g.sni === undefined || g.sni === sni) })),
  ];
}

/** What drains keeps its calls when it is left out, and nothing of a weight or of health can be said of an endpoint. */
function takesConnections(e: EndpointIr): boolean {
  // Its clients believe the mesh's own authorities alone.
  if (e.tls?.trustDomain !== undefined) return false;
  return !e.draining && e.unhealthy !== true && e.weight > 0 && (e.tls === undefined || e.tls.uriSans.length > 0);
}

function groupEndpoints(endpoints: readonly EndpointIr[]): readonly EndpointGroup[] {
  const byKey = new Map<string, EndpointIr[]>();
  const nearest = new Map<string, number>();
  for (const e of endpoints) {
    const base = `${e.cluster}.${kindOf(e)}`;
    const first = nearest.get(base) ?? e.priority;
    nearest.set(base, first);
    // The nearest keep their name when others come and go.
    const key = e.priority === first ? base : `${base}.p${e.priority}`;
    const members = byKey.get(key);
    if (members === undefined) byKey.set(key, [e]);
    else members.push(e);
  }
  return [...byKey].flatMap(([key, members]) => (members[0] === undefined ? [] : [groupOf(key, members[0], members)])).sort(order);
}

function groupOf(key: string, first: EndpointIr, members: readonly EndpointIr[]): EndpointGroup {
  // An address that is there twice is refused with everything beside it; the identities of both are expected there.
  const byPlace = new Map<string, EndpointIr>();
  for (const e of members) {
    const place = `${e.address} ${e.port}`;
    const known = byPlace.get(place);
    byPlace.set(place, known === undefined ? e : { ...known, weight: known.weight + e.weight });
  }
  return {
    key,
    cluster: first.cluster,
    priority: first.priority,
    weight: members.reduce((sum, e) => sum + e.weight, 0),
    ...(first.tls === undefined ? {} : { uriSans: [...new Set(members.flatMap((e) => e.tls?.uriSans ?? []))].sort() }),
    ...(first.viaGateway && first.tls !== undefined ? { sni: first.tls.sni } : {}),
    endpoints: [...byPlace.values()],
  };
}

function kindOf(e: EndpointIr): string {
  const way = e.tls === undefined ? 'plain' : e.viaGateway ? `gateway-${parseSniName(e.tls.sni)?.subset || 'passthrough'}` : 'direct';
  return e.stale ? `${way}-stale` : way;
}

function order(a: EndpointGroup, b: EndpointGroup): number {
  return a.priority - b.priority || b.weight - a.weight || (a.key < b.key ? -1 : 1);
}
