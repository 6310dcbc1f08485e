import { Type } from 'typebox';
import { AuthorityStatus, InstallRequest, IntermediateRequest, RotateRequest, RotationStatus } from '../../core/admin/index.ts';
import { MeshError } from '../../core/errors.ts';
import type { AuthorityApi } from './authority-api.ts';
import type { ControlApi } from './control-api.ts';
import { changing, type Route, reading } from './route.ts';

const none = Type.Object({}, { additionalProperties: false });

function authorityOf(api: ControlApi): AuthorityApi {
  if (api.authority === undefined) throw new MeshError('NOT_FOUND', 'this control plane manages no certificates');
  return api.authority;
}

/** The certificate authority: whoever may change it may speak for anybody, so only admins of the whole mesh do. */
export const authorityRoutes: readonly Route[] = [
  reading({
    path: '/v1/ca',
    role: 'viewer',
    scope: 'mesh',
    query: none,
    params: none,
    reply: AuthorityStatus,
    read: (api) => authorityOf(api).status(),
  }),
  changing({
    method: 'POST',
    path: '/v1/ca/rotation',
    role: 'admin',
    scope: 'mesh',
    query: none,
    params: none,
    body: RotateRequest,
    reply: RotationStatus,
    auditBody: (body) => ({
      ...(body as RotateRequest),
      newRootKey: (body as RotateRequest).newRootKey === undefined ? 'made here' : 'given',
    }),
    change: (api, { body }) => authorityOf(api).rotate(body),
  }),
  reading({
    path: '/v1/ca/request',
    role: 'operator',
    scope: 'mesh',
    query: none,
    params: none,
    reply: IntermediateRequest,
    read: (api) => authorityOf(api).request(),
  }),
  changing({
    method: 'POST',
    path: '/v1/ca/install',
    role: 'admin',
    scope: 'mesh',
    query: none,
    params: none,
    body: InstallRequest,
    reply: AuthorityStatus,
    change: (api, { body }) => authorityOf(api).install(body),
  }),
];
