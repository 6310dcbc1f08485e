import { Type } from 'typebox';
import { MtlsStatus } from '../../core/admin/index.ts';
import { MeshError } from '../../core/errors.ts';
import { reading } from './route.ts';

export const mtlsRoute = reading({
  path: '/v1/mtls',
  role: 'viewer',
  scope: 'some',
  query: Type.Object(
    { service: Type.Optional(Type.String({ pattern: '^[a-z0-9-]{1,63}/[a-z0-9-]{1,63}$' })) },
    { additionalProperties: false },
  ),
  params: Type.Object({}, { additionalProperties: false }),
  reply: MtlsStatus,
  read: async (api, { query: { service }, grants }) => {
    if (api.mtls === undefined) throw new MeshError('NOT_FOUND', 'this control plane has no agents');
    const { ports } = await api.mtls(service);
    const seen = ports.filter((each) => grants.has('viewer', each.service.split('/')[0] ?? ''));
    if (service !== undefined && seen.length === 0) {
      throw new MeshError('NOT_FOUND', `no service ${service} with an agent or a sidecar is known here, or you may not see it`);
    }
    // Whose an address is may be of a namespace that the caller does not see.
    if (grants.has('viewer', '*')) return { ports: seen };
    const visible = (name: string) => grants.has('viewer', name.split('/')[0] ?? '');
    return { ports: seen.map((each) => ({ ...each, callers: each.callers.map((c) => ({ ...c, known: c.known.filter(visible) })) })) };
  },
});
