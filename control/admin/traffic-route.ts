import { Type } from 'typebox';
import { Traffic } from '../../core/admin/index.ts';
import { MeshError } from '../../core/errors.ts';
import type { Grants } from './access.ts';
import { reading } from './route.ts';

const party = Type.Optional(Type.String({ minLength: 1, maxLength: 512 }));
const hour = 3_600;

export const trafficRoute = reading({
  path: '/v1/traffic',
  role: 'viewer',
  scope: 'some',
  query: Type.Object(
    {
      source: party,
      destination: party,
      /** Seconds; default and most: an hour. */
      since: Type.Optional(Type.String({ pattern: '^[0-9]{1,6}$' })),
      /** What several reporters counted, of each of them. */
      all: Type.Optional(Type.Literal('true')),
    },
    { additionalProperties: false },
  ),
  params: Type.Object({}, { additionalProperties: false }),
  reply: Traffic,
  read: async (api, { query, grants }) => {
    if (api.traffic === undefined) throw new MeshError('NOT_FOUND', 'this control plane counts no traffic');
    const { source, destination, since = String(hour), all } = query;
    const sinceMs = 1_000 * Math.min(hour, Math.max(1, Number(since)));
    const asked = {
      sinceMs,
      all: all === 'true',
      ...(source === undefined ? {} : { source }),
      ...(destination === undefined ? {} : { destination }),
    };
    return visibleTraffic(await api.traffic(asked), grants);
  },
});

/** Both ends may know of what passes between them; what has no end here is of the whole mesh. */
function visibleTraffic(traffic: Traffic, grants: Grants): Traffic {
  if (grants.has('viewer', '*')) return traffic;
  const sees = (namespace: string | undefined) => namespace !== undefined && namespace !== '' && grants.has('viewer', namespace);
  const flows = traffic.flows.filter(
    ({ source, destination }) => sees(source.split('/')[2]) || (destination.includes('/') && sees(destination.split('/')[0])),
  );
  return { ...traffic, flows };
}
