import type { AttestorToken, CreatedJoinToken, JoinTokenRequest } from '../../core/admin/index.ts';
import type { MeshSpec, WorkloadGroupSpec } from '../../core/config/index.ts';
import { MeshError } from '../../core/errors.ts';
import { formatJoinToken, type TokenService } from '../../core/identity/index.ts';
import {
  controlServiceAccount,
  formatSpiffeId,
  gatewayServiceAccount,
  ingressServiceAccount,
  systemNamespace,
} from '../../core/model/index.ts';
import { sha256Hex, type TrustBundle } from '../../core/pki/index.ts';
import type { Store } from '../../core/store.ts';
import { formatViolation } from '../../core/validate.ts';
import type { Changed } from '../admin/index.ts';
import { type Claims, createToken } from '../ca/index.ts';
import type { ObjectView } from '../objects/index.ts';
import { workloadGroupsOf } from './config-objects.ts';

export interface JoinTokenContext {
  readonly store: Store;
  readonly mesh: MeshSpec;
  readonly trust: TrustBundle;
  /** HOST:PORT where agents dial this control plane. */
  readonly addresses: readonly string[];
  /** In force; WorkloadGroups and AttestationPolicies among them. */
  readonly objects: ObjectView;
  /** Unix ms. */
  readonly now: number;
}

/** Makes a join token for one service, or for a gateway. CONFLICT before this cluster can sign, CONFIG_INVALID for a request that cannot be. */
export async function makeJoinToken(request: JoinTokenRequest, context: JoinTokenContext): Promise<Changed<CreatedJoinToken>> {
  const { store, mesh, now } = context;
  const place = placeOf(context);
  const group = groupIn(request, context);
  const claims = claimsOf(request, group);
  // Issuance refuses it as well: nobody may answer as a control plane.
  if (claims.namespace === systemNamespace && claims.serviceAccount === controlServiceAccount)
    throw new MeshError(
      'CONFIG_INVALID',
      `service: ${systemNamespace}/${controlServiceAccount} is the identity of control planes, and no token gives it: name another service or --service-account`,
    );
  const { ttlMs, maxUses, cidrs } = request;
  const made = await createToken(store, { claims, ttlMs, maxUses, sources: cidrs }, now);
  if (!made.ok) throw new MeshError('CONFIG_INVALID', made.violations.map(formatViolation).join('; '));
  const { id, secret, expiresAt } = made.value;
  const { trustDomain } = mesh;
  const token = formatJoinToken({
    id,
    secret,
    ...place,
    network: request.network ?? (group?.template.network || mesh.network),
    services: served(request),
  });
  const spiffeId = formatSpiffeId({ trustDomain, namespace: claims.namespace, serviceAccount: claims.serviceAccount });
  const value = { token, id, spiffeId, expiresAt: new Date(expiresAt).toISOString(), maxUses };
  return { value, diff: [{ subject: `token/${id}`, after: { spiffeId, role: claims.role, maxUses, expiresAt: value.expiresAt } }] };
}

/** What a join with the token serves unless it says otherwise. */
function served({ role, service = '', port, protocol = 'http', also = [] }: JoinTokenRequest): TokenService[] {
  if (role !== 'workload') return [];
  return [{ service, port }, ...also].flatMap((each) => {
    const [namespace = '', name = ''] = each.service.split('/');
    return each.port === undefined ? [] : [{ namespace, name, port: each.port, protocol }];
  });
}

/** With what holders of a policy's proofs join; the same each time, and no secret. NOT_FOUND where there is no such policy of this cluster. */
export function makeAttestorToken(policy: string, network: string | undefined, context: JoinTokenContext): AttestorToken {
  const { mesh, objects } = context;
  const place = placeOf(context);
  const found = [...objects.objects.values()].find(
    ({ object, owner }) =>
      object.kind === 'AttestationPolicy' && owner.cluster === mesh.cluster && `${object.namespace}/${object.name}` === policy,
  )?.object;
  if (found?.kind !== 'AttestationPolicy')
    throw new MeshError(
      'NOT_FOUND',
      `there is no AttestationPolicy ${policy} here: apply it first, or see isthmus get attestationpolicies`,
    );
  const said = { ...place, network: network ?? mesh.network, attestor: policy };
  // Of what it says, so that who joined with it need not attest again only since it was printed twice.
  const id = sha256Hex(JSON.stringify([said.attestor, said.trustDomain, said.cluster])).slice(0, 16);
  return { token: formatJoinToken({ ...said, id, secret: '' }), attestor: policy, type: found.spec.attestor.type };
}

/** Where agents go, and whom they trust there. CONFLICT where that is not known yet. */
function placeOf({ mesh, trust, addresses }: JoinTokenContext) {
  const [root] = trust.roots;
  if (root === undefined)
    throw new MeshError('CONFLICT', 'this cluster has no root yet: run isthmus peer join or isthmus ca request, or set identity.rootDir');
  if (addresses.length === 0) throw new MeshError('CONFLICT', 'agents cannot know where to dial: set grpc.advertise in the Mesh');
  return { trustDomain: mesh.trustDomain, cluster: mesh.cluster, addresses, root };
}

/** Undefined: it asks for none. */
function groupIn({ group, service = '', role }: JoinTokenRequest, { objects }: JoinTokenContext): WorkloadGroupSpec | undefined {
  if (group === undefined) return undefined;
  const [namespace = ''] = service.split('/');
  if (role !== 'workload' || group.split('/')[0] !== namespace)
    throw new MeshError('CONFIG_INVALID', `group: ${group} must be a WorkloadGroup of the namespace of the service, ${namespace}`);
  const found = workloadGroupsOf(objects).get(group);
  if (found === undefined) throw new MeshError('CONFIG_INVALID', `group: there is no WorkloadGroup ${group}: apply it first`);
  return found;
}

function claimsOf(request: JoinTokenRequest, group: WorkloadGroupSpec | undefined): Claims {
  const { addresses = [] } = request;
  if (request.role === 'gateway') {
    return { role: 'gateway', namespace: systemNamespace, serviceAccount: gatewayServiceAccount, services: [], addresses };
  }
  // It registers nothing and answers for no service: to the mesh it is one that calls.
  if (request.role === 'ingress') {
    return { role: 'workload', namespace: systemNamespace, serviceAccount: ingressServiceAccount, services: [], addresses: [] };
  }
  const [namespace = '', name = ''] = (request.service ?? '').split('/');
  if (name === '') throw new MeshError('CONFIG_INVALID', 'a workload token names the service that it may register: service is missing');
  const all = [{ service: `${namespace}/${name}`, port: request.port }, ...(request.also ?? [])];
  return {
    role: 'workload',
    namespace,
    serviceAccount: request.serviceAccount ?? (group?.template.serviceAccount || name),
    services: claimedServices(namespace, all),
    addresses,
    ...(request.group === undefined ? {} : { group: request.group }),
  };
}

/** One claim for each service, with all of its ports; any port where one of them says none. */
function claimedServices(
  namespace: string,
  all: readonly { readonly service: string; readonly port?: number | undefined }[],
): Claims['services'] {
  const byName = new Map<string, (number | undefined)[]>();
  for (const { service, port } of all) {
    const [of = '', name = ''] = service.split('/');
    if (of !== namespace)
      throw new MeshError(
        'CONFIG_INVALID',
        `also: ${service} is of another namespace than ${namespace}, that of the identity: it needs a token of its own`,
      );
    byName.set(name, [...(byName.get(name) ?? []), port]);
  }
  return [...byName].map(([name, ports]) => ({
    namespace,
    name,
    ports: ports.includes(undefined) ? [] : ports.flatMap((port) => port ?? []),
  }));
}
