import type { ObjectSelection } from '../../../core/config/index.ts';
import type { NativeObject } from '../../../core/registry/index.ts';

/** Istio's label for objects that are of one control plane alone. */
const revisionLabel = 'istio.io/rev';
const ownRevision = 'isthmus';
const ownGatewayClass = 'isthmus';

const gatewayApi = 'gateway.networking.k8s.io';
export const gatewayKind = { group: gatewayApi, kind: 'Gateway' } as const;
const routeKinds: ReadonlySet<string> = new Set(['HTTPRoute', 'GRPCRoute', 'TLSRoute', 'TCPRoute']);
/** What a route may be a child of besides Gateways; others are extensions of other implementations. */
const serviceParents: ReadonlySet<unknown> = new Set(['Service', 'ServiceImport']);

type Document = NativeObject['document'];

/** Whose a Gateway is. `unknown`: the Gateways have not been read yet. */
export type GatewayOwner = (namespace: string, name: string) => 'ours' | 'foreign' | 'absent' | 'unknown';

/** Each kind of route attaches itself to its parents. */
export function isRoute(group: string, kind: string): boolean {
  return group === gatewayApi && routeKinds.has(kind);
}

export function isOwnGateway({ document }: NativeObject): boolean {
  return recordIn(document, 'spec')['gatewayClassName'] === ownGatewayClass;
}

/** Pure. It says that it is ours, or it says nothing and lies where such objects are read. */
export function isSelected({ namespace, document }: NativeObject, { namespaces }: ObjectSelection): boolean {
  const revision = revisionOf(document);
  return revision === undefined ? namespaces.includes('*') || namespaces.includes(namespace) : revision === ownRevision;
}

/** Said to be another control plane's. */
export function isOthers({ document }: NativeObject): boolean {
  const revision = revisionOf(document);
  return revision !== undefined && revision !== ownRevision;
}

/**
 * Pure. A route without its parents of other implementations; `foreign` where it has no other. `attached`: one of the rest is a Gateway
 * of ours, which is as good as saying so itself.
 */
export function ownPart(
  route: NativeObject,
  owner: GatewayOwner,
): { readonly document: Document; readonly attached: boolean } | 'foreign' | 'undecided' {
  const spec = recordIn(route.document, 'spec');
  const written = Array.isArray(spec['parentRefs']) ? spec['parentRefs'] : [];
  const parents = written.map((ref: unknown) => ({ ref, whose: whose(ref, route.namespace, owner) }));
  if (parents.some((parent) => parent.whose === 'unknown')) return 'undecided';
  const own = parents.filter((parent) => parent.whose !== 'foreign');
  if (own.length === 0) return 'foreign';
  const attached = own.some((parent) => parent.whose === 'ours');
  if (own.length === parents.length) return { document: route.document, attached };
  return { document: { ...route.document, spec: { ...spec, parentRefs: own.map(({ ref }) => ref) } }, attached };
}

/** A Gateway that is not there may come; until then analysis says that the reference leads nowhere. */
function whose(ref: unknown, namespace: string, owner: GatewayOwner): ReturnType<GatewayOwner> | 'service' {
  const fields = isRecord(ref) ? ref : {};
  const kind = fields['kind'] ?? 'Gateway';
  if (serviceParents.has(kind)) return 'service';
  if (kind !== 'Gateway' || (fields['group'] ?? gatewayApi) !== gatewayApi) return 'foreign';
  return owner(String(fields['namespace'] ?? namespace), String(fields['name'] ?? ''));
}

function revisionOf(document: Document): unknown {
  return recordIn(recordIn(document, 'metadata'), 'labels')[revisionLabel];
}

function recordIn(from: Readonly<Record<string, unknown>>, name: string): Readonly<Record<string, unknown>> {
  const value = from[name];
  return isRecord(value) ? value : {};
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
