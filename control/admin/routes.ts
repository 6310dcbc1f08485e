import { Type } from 'typebox';
import {
  CreatedJoinToken,
  Drift,
  Explanation,
  InstanceList,
  Invite,
  InviteRequest,
  JoinedPeer,
  JoinPeerRequest,
  JoinTokenRequest,
  label,
  list,
  PeerList,
  RemovedPeer,
  Revoked,
  ServiceStatus,
  SignedIntermediate,
  SignRequest,
  Status,
  UninstallPlan,
  UninstallRequest,
  UninstallResult,
} from '../../core/admin/index.ts';
import { MeshError } from '../../core/errors.ts';
import { systemNamespace } from '../../core/model/index.ts';
import { ApiRefusal } from './api-errors.ts';
import type { ControlApi } from './control-api.ts';
import { migrationRoutes } from './migration-routes.ts';
import { objectRoutes } from './object-routes.ts';
import { changing, type Route, reading } from './route.ts';
import { trafficRoute } from './traffic-route.ts';
import { visibleDrift, visibleInstances, visibleServices, visibleStatus } from './visible.ts';

const none = Type.Object({}, { additionalProperties: false });
const party = Type.String({ minLength: 1, maxLength: 512 });
const inviteTtlMs = 15 * 60_000;

/** Every route there is. */
export function routesOf(api: ControlApi): readonly Route[] {
  const always = [...readingRoutes, ...tokenRoutes, ...peerRoutes, ...operationRoutes];
  return [
    ...always,
    ...(api.revokeInstance === undefined ? [] : [revokeRoute]),
    ...(api.objects === undefined ? [] : objectRoutes),
    ...(api.migrations === undefined ? [] : migrationRoutes),
  ];
}

const readingRoutes: readonly Route[] = [
  reading({
    path: '/v1/status',
    role: 'viewer',
    scope: 'some',
    query: none,
    params: none,
    reply: Status,
    read: async (api, { grants }) => visibleStatus(await api.status(), grants),
  }),
  reading({
    path: '/v1/services',
    role: 'viewer',
    scope: 'some',
    query: none,
    params: none,
    reply: Type.Object({ services: list(ServiceStatus) }),
    read: async (api, { grants }) => ({ services: visibleServices((await api.status()).services, grants) }),
  }),
  reading({
    // An explanation names rules and endpoints of both sides.
    path: '/v1/explain',
    role: 'viewer',
    scope: 'mesh',
    query: Type.Object({ src: party, dst: party }, { additionalProperties: false }),
    params: none,
    reply: Explanation,
    read: (api, { query }) => api.explain(query.src, query.dst),
  }),
  trafficRoute,
  reading({
    path: '/v1/drift',
    role: 'viewer',
    scope: 'some',
    query: Type.Object({ all: Type.Optional(Type.Literal('true')) }, { additionalProperties: false }),
    params: none,
    reply: Drift,
    read: async (api, { query, grants }) => visibleDrift(await api.drift(query.all === 'true'), grants),
  }),
  reading({
    path: '/v1/instances',
    role: 'viewer',
    scope: 'some',
    query: none,
    params: none,
    reply: InstanceList,
    read: async (api, { grants }) => ({ instances: visibleInstances(await api.instances(), grants) }),
  }),
  reading({
    path: '/v1/peers',
    role: 'viewer',
    scope: 'mesh',
    query: none,
    params: none,
    reply: PeerList,
    read: async (api) => ({ peers: [...(await api.peers())] }),
  }),
  reading({
    path: '/v1/uninstall-plan',
    role: 'operator',
    scope: 'mesh',
    query: none,
    params: none,
    reply: UninstallPlan,
    read: (api) => api.uninstallPlan(),
  }),
];

const tokenRoutes: readonly Route[] = [
  changing({
    method: 'POST',
    path: '/v1/tokens',
    role: 'operator',
    query: none,
    params: none,
    body: JoinTokenRequest,
    reply: CreatedJoinToken,
    // A gateway speaks for services of every namespace.
    scope: ({ body }) => (body.role === 'workload' ? (body.service?.split('/')[0] ?? systemNamespace) : undefined),
    change: (api, { body }) => {
      if (body.role === 'workload' && (body.service === undefined || body.port === undefined)) {
        throw new ApiRefusal(400, 'INVALID_INPUT', 'a token for a workload needs its service (NAMESPACE/NAME) and port');
      }
      return api.createToken(body);
    },
  }),
];

const peerRoutes: readonly Route[] = [
  changing({
    method: 'POST',
    path: '/v1/peers/invite',
    role: 'admin',
    scope: 'mesh',
    query: none,
    params: none,
    body: InviteRequest,
    reply: Invite,
    change: (api, { body }) => api.invitePeer(body.ttlMs ?? inviteTtlMs, body.dial),
  }),
  changing({
    method: 'POST',
    path: '/v1/peers/join',
    role: 'admin',
    scope: 'mesh',
    query: none,
    params: none,
    body: JoinPeerRequest,
    reply: JoinedPeer,
    change: (api, { body }) => api.joinPeer(body),
  }),
  changing({
    method: 'DELETE',
    path: '/v1/peers/:cluster',
    role: 'admin',
    scope: 'mesh',
    query: none,
    params: Type.Object({ cluster: label }, { additionalProperties: false }),
    body: none,
    reply: RemovedPeer,
    change: (api, { params }) => api.removePeer(params.cluster),
  }),
];

const operationRoutes: readonly Route[] = [
  changing({
    method: 'POST',
    path: '/v1/uninstall',
    role: 'admin',
    scope: 'mesh',
    query: none,
    params: none,
    body: UninstallRequest,
    reply: UninstallResult,
    change: async (api, { body }) => {
      const { cluster } = await api.status();
      if (body.cluster !== cluster) throw new MeshError('CONFLICT', `this is cluster ${cluster}, not ${body.cluster}: nothing was removed`);
      return api.uninstall();
    },
  }),
  changing({
    method: 'POST',
    path: '/v1/ca/sign',
    role: 'admin',
    scope: 'mesh',
    query: none,
    params: none,
    body: SignRequest,
    reply: SignedIntermediate,
    change: (api, { body }) => {
      if (api.signIntermediate === undefined) {
        throw new MeshError('NOT_FOUND', 'this control plane has no online root: run isthmus ca sign where the root is kept');
      }
      return api.signIntermediate(body);
    },
  }),
];

const revokeRoute: Route = changing({
  method: 'POST',
  path: '/v1/instances/:id/revoke',
  role: 'operator',
  query: none,
  body: none,
  reply: Revoked,
  params: Type.Object({ id: Type.String({ minLength: 1, maxLength: 256 }) }, { additionalProperties: false }),
  scope: async ({ params }, api) => (await api.instances()).find((i) => i.id === params.id)?.namespace,
  change: (api, { params }) => {
    if (api.revokeInstance === undefined) throw new MeshError('NOT_FOUND', 'this control plane cannot revoke instances');
    return api.revokeInstance(params.id);
  },
});
