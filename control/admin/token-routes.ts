import { Type } from 'typebox';
import { AttestorToken, CreatedJoinToken, JoinTokenRequest, label } from '../../core/admin/index.ts';
import { MeshError } from '../../core/errors.ts';
import { systemNamespace } from '../../core/model/index.ts';
import { ApiRefusal } from './api-errors.ts';
import { changing, type Route, reading } from './route.ts';

const none = Type.Object({}, { additionalProperties: false });
const policyName = Type.String({ pattern: '^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$' });

export const tokenRoutes: readonly Route[] = [
  changing({
    method: 'POST',
    path: '/v1/tokens',
    role: 'operator',
    query: none,
    params: none,
    body: JoinTokenRequest,
    reply: CreatedJoinToken,
    // A gateway speaks for services of every namespace.
    scope: ({ body }) => (body.role === 'workload' ? namespacesOf(body) : undefined),
    change: (api, { body }) => {
      if (body.role === 'workload' && (body.service === undefined || body.port === undefined)) {
        throw new ApiRefusal(400, 'INVALID_INPUT', 'a token for a workload needs its service (NAMESPACE/NAME) and port');
      }
      return api.createToken(body);
    },
  }),
  reading({
    // It says nothing that an agent of the namespace does not know.
    path: '/v1/attestors/:namespace/:name/token',
    role: 'viewer',
    scope: ({ params }) => params.namespace,
    query: Type.Object({ network: Type.Optional(label) }, { additionalProperties: false }),
    params: Type.Object({ namespace: label, name: policyName }, { additionalProperties: false }),
    reply: AttestorToken,
    read: async (api, { params, query }) => {
      const { namespace, name } = params;
      if (api.attestorToken === undefined) throw new MeshError('NOT_FOUND', 'this control plane takes no AttestationPolicies');
      return api.attestorToken(`${namespace}/${name}`, query.network);
    },
  }),
];

function namespacesOf({ service, also = [] }: JoinTokenRequest): string[] {
  const named = [service ?? systemNamespace, ...also.map((each) => each.service)];
  return [...new Set(named.map((each) => each.split('/')[0] ?? systemNamespace))];
}
