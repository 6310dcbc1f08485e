import { Type } from 'typebox';
import { Federation, FederationBundle, FederationDomain } from '../../core/admin/index.ts';
import { MeshError } from '../../core/errors.ts';
import type { ControlApi } from './control-api.ts';
import type { FederationApi } from './federation-api.ts';
import { changing, type Route, reading } from './route.ts';

const none = Type.Object({}, { additionalProperties: false });
const named = Type.Object({ trustDomain: Type.String({ minLength: 1, maxLength: 255 }) });

function of({ federation }: ControlApi): FederationApi {
  if (federation === undefined) throw new MeshError('NOT_FOUND', 'this control plane federates with nobody');
  return federation;
}

export const federationRoutes: readonly Route[] = [
  reading({
    path: '/v1/federation',
    role: 'viewer',
    scope: 'mesh',
    query: none,
    params: none,
    reply: Federation,
    read: (api) => of(api).list(),
  }),
  reading({
    path: '/v1/federation/bundle',
    role: 'viewer',
    scope: 'some',
    query: none,
    params: none,
    reply: FederationBundle,
    read: (api) => of(api).bundle(),
  }),
  changing({
    method: 'POST',
    path: '/v1/federation/:trustDomain/refresh',
    role: 'operator',
    scope: 'mesh',
    query: none,
    params: named,
    body: none,
    reply: FederationDomain,
    change: (api, { params }) => of(api).refresh(params.trustDomain),
  }),
];
