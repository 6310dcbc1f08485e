import { Type } from 'typebox';
import { Revocation, RevocationStatus, RevokeRequest } from '../../core/admin/index.ts';
import { MeshError } from '../../core/errors.ts';
import type { ControlApi } from './control-api.ts';
import type { RevocationsApi } from './revocations-api.ts';
import { changing, type Route, reading } from './route.ts';

const none = Type.Object({}, { additionalProperties: false });

function revocationsOf({ revocations }: ControlApi): RevocationsApi {
  if (revocations === undefined) throw new MeshError('NOT_FOUND', 'this control plane cannot revoke');
  return revocations;
}

export const revocationRoutes: readonly Route[] = [
  changing({
    method: 'POST',
    path: '/v1/revocations',
    role: 'operator',
    query: none,
    params: none,
    body: RevokeRequest,
    reply: Revocation,
    // Who may revoke nobody learns no more than that.
    scope: async ({ body }, api) => {
      const found = await revocationsOf(api).namespaces(body);
      return found.length === 0 ? undefined : found;
    },
    change: (api, { body }) => revocationsOf(api).revoke(body),
  }),
  reading({
    path: '/v1/revocations',
    role: 'operator',
    scope: 'mesh',
    query: none,
    params: none,
    reply: RevocationStatus,
    read: (api) => revocationsOf(api).status(),
  }),
];
