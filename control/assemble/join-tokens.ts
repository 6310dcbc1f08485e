import type { CreatedJoinToken, JoinTokenRequest } from '../../core/admin/index.ts';
import type { MeshSpec, WorkloadGroupSpec } from '../../core/config/index.ts';
import { MeshError } from '../../core/errors.ts';
import { formatJoinToken } from '../../core/identity/index.ts';
import { formatSpiffeId, gatewayServiceAccount, ingressServiceAccount, systemNamespace } from '../../core/model/index.ts';
import type { TrustBundle } from '../../core/pki/index.ts';
import type { Store } from '../../core/store.ts';
import { formatViolation } from '../../core/validate.ts';
import type { Changed } from '../admin/index.ts';
import { type Claims, createToken } from '../ca/index.ts';

export interface JoinTokenContext {
  readonly store: Store;
  readonly mesh: MeshSpec;
  readonly trust: TrustBundle;
  /** HOST:PORT where agents dial this control plane. */
  readonly addresses: readonly string[];
  /** A WorkloadGroup by NAMESPACE/NAME. */
  readonly groupOf: (name: string) => WorkloadGroupSpec | undefined;
  /** Unix ms. */
  readonly now: number;
}

/** Makes a join token for one service, or for a gateway. CONFLICT before this cluster can sign, CONFIG_INVALID for a request that cannot be. */
export async function makeJoinToken(request: JoinTokenRequest, context: JoinTokenContext): Promise<Changed<CreatedJoinToken>> {
  const { store, mesh, trust, addresses, now } = context;
  const [root] = trust.roots;
  if (root === undefined) throw new MeshError('CONFLICT', 'this cluster has no root yet: run isthmus peer join, or set identity.rootDir');
  if (addresses.length === 0) throw new MeshError('CONFLICT', 'agents cannot know where to dial: set grpc.advertise in the Mesh');
  const group = groupIn(request, context);
  const claims = claimsOf(request, group);
  const { ttlMs, maxUses, cidrs } = request;
  const made = await createToken(store, { claims, ttlMs, maxUses, sources: cidrs }, now);
  if (!made.ok) throw new MeshError('CONFIG_INVALID', made.violations.map(formatViolation).join('; '));
  const { id, secret, expiresAt } = made.value;
  const { cluster, trustDomain } = mesh;
  const token = formatJoinToken({
    id,
    secret,
    trustDomain,
    cluster,
    addresses,
    root,
    network: request.network ?? (group?.template.network || mesh.network),
  });
  const spiffeId = formatSpiffeId({ trustDomain, namespace: claims.namespace, serviceAccount: claims.serviceAccount });
  const value = { token, id, spiffeId, expiresAt: new Date(expiresAt).toISOString(), maxUses };
  return { value, diff: [{ subject: `token/${id}`, after: { spiffeId, role: claims.role, maxUses, expiresAt: value.expiresAt } }] };
}

/** Undefined: it asks for none. */
function groupIn({ group, service = '', role }: JoinTokenRequest, { groupOf }: JoinTokenContext): WorkloadGroupSpec | undefined {
  if (group === undefined) return undefined;
  const [namespace = ''] = service.split('/');
  if (role !== 'workload' || group.split('/')[0] !== namespace)
    throw new MeshError('CONFIG_INVALID', `group: ${group} must be a WorkloadGroup of the namespace of the service, ${namespace}`);
  const found = groupOf(group);
  if (found === undefined) throw new MeshError('CONFIG_INVALID', `group: there is no WorkloadGroup ${group}: apply it first`);
  return found;
}

function claimsOf(request: JoinTokenRequest, group: WorkloadGroupSpec | undefined): Claims {
  if (request.role === 'gateway') {
    return { role: 'gateway', namespace: systemNamespace, serviceAccount: gatewayServiceAccount, services: [], addresses: [] };
  }
  // It registers nothing and answers for no service: to the mesh it is one that calls.
  if (request.role === 'ingress') {
    return { role: 'workload', namespace: systemNamespace, serviceAccount: ingressServiceAccount, services: [], addresses: [] };
  }
  const [namespace = '', name = ''] = (request.service ?? '').split('/');
  if (name === '') throw new MeshError('CONFIG_INVALID', 'a workload token names the service that it may register: service is missing');
  const ports = request.port === undefined ? [] : [request.port];
  return {
    role: 'workload',
    namespace,
    serviceAccount: request.serviceAccount ?? (group?.template.serviceAccount || name),
    services: [{ namespace, name, ports }],
    addresses: [],
    ...(request.group === undefined ? {} : { group: request.group }),
  };
}
