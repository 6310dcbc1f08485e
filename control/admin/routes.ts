import { Type } from 'typebox';
import {
  Drift,
  Explanation,
  InstanceList,
  Invite,
  InviteRequest,
  JoinedPeer,
  JoinPeerRequest,
  label,
  list,
  PeerList,
  RemovedPeer,
  ServiceStatus,
  SignedIntermediate,
  SignRequest,
  Status,
  UninstallPlan,
  UninstallRequest,
  UninstallResult,
} from '../../core/admin/index.ts';
import { MeshError } from '../../core/errors.ts';
import { authorityRoutes } from './authority-routes.ts';
import type { ControlApi } from './control-api.ts';
import { explainedRequest } from './explained-request.ts';
import { federationRoutes } from './federation-routes.ts';
import { migrationRoutes } from './migration-routes.ts';
import { mtlsRoute } from './mtls-route.ts';
import { objectRoutes } from './object-routes.ts';
import { revocationRoutes } from './revocation-routes.ts';
import { changing, type Route, reading } from './route.ts';
import { tokenRoutes } from './token-routes.ts';
import { trafficRoute } from './traffic-route.ts';
import { visibleDrift, visibleInstances, visibleServices, visibleStatus } from './visible.ts';

const none = Type.Object({}, { additionalProperties: false });
/** A SPIFFE id may be that long. */
const party = Type.String({ minLength: 1, maxLength: 2_048 });
const inviteTtlMs = 15 * 60_000;

/** Every route there is. */
export function routesOf(api: ControlApi): readonly Route[] {
  const always = [...readingRoutes, ...tokenRoutes, ...peerRoutes, ...operationRoutes];
  return [
    ...always,
    ...(api.revocations === undefined ? [] : revocationRoutes),
    ...(api.objects === undefined ? [] : objectRoutes),
    ...(api.federation === undefined ? [] : federationRoutes),
    ...(api.migrations === undefined ? [] : migrationRoutes),
    ...(api.authority === undefined ? [] : authorityRoutes),
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
    query: Type.Object(
      { src: party, dst: party, request: Type.Optional(Type.String({ maxLength: 16_384 })) },
      { additionalProperties: false },
    ),
    params: none,
    reply: Explanation,
    read: (api, { query }) => api.explain(query.src, query.dst, explainedRequest(query.request)),
  }),
  trafficRoute,
  mtlsRoute,
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
