import type { Revocation, RevocationStatus, RevokeRequest } from '../../core/admin/index.ts';
import type { Clock } from '../../core/clock.ts';
import type { MeshSpec } from '../../core/config/index.ts';
import { MeshError } from '../../core/errors.ts';
import { formatSpiffeId } from '../../core/model/index.ts';
import type { Store } from '../../core/store.ts';
import type { RegisteredInstance } from '../../registries/vm/index.ts';
import type { Changed, RevocationsApi } from '../admin/index.ts';
import type { Ledger } from '../ca/index.ts';
import type { Instances } from '../registration/index.ts';
import { grantsMeant, type RevocationTarget, revoke } from '../revocation/index.ts';
import type { XdsClientStatus, XdsServer } from '../xds/index.ts';
import type { ControlIdentity } from './control-identity.ts';

export interface RevocationHomeParts {
  readonly mesh: MeshSpec;
  readonly store: Store;
  readonly ledger: Ledger;
  readonly instances: Instances;
  readonly identity: ControlIdentity;
  readonly xds: XdsServer;
  /** Of this control plane. */
  readonly replica: string;
  readonly clock: Clock;
}

/** Taking identities back, and who has not heard of it. */
export function createRevocationsApi(parts: RevocationHomeParts): RevocationsApi {
  const { store, ledger, instances } = parts;
  return {
    namespaces: async (request) => {
      try {
        const grants = await grantsMeant(meant(request), { store, ledger });
        return [...new Set(grants.map((grant) => grant.claims.namespace))];
      } catch (error) {
        if (error instanceof MeshError && (error.code === 'NOT_FOUND' || error.code === 'CONFLICT')) return [];
        throw error;
      }
    },
    revoke: (request) => revokeNow(request, parts),
    status: async () => {
      const records = (await instances.list()).map(({ record }) => record);
      return statusOf(records, parts.xds.clients(), parts);
    },
  };
}

function meant({ target, token }: RevokeRequest): RevocationTarget {
  if (target !== undefined && token === undefined) return { target };
  if (token !== undefined && target === undefined) return { token };
  throw new MeshError('CONFIG_INVALID', 'name an instance or a serial, or a token: exactly one of them');
}

async function revokeNow(
  request: RevokeRequest,
  { mesh, store, ledger, instances, clock }: RevocationHomeParts,
): Promise<Changed<Revocation>> {
  const { dryRun = false, token } = request;
  const done = await revoke(meant(request), { store, ledger, instances, now: clock.now() }, dryRun);
  const named = done.grants.map(({ id: grant, instance: id, claims: { namespace, serviceAccount } }) => {
    return { id, spiffeId: formatSpiffeId({ trustDomain: mesh.trustDomain, namespace, serviceAccount }), grant };
  });
  const { already, registrations, lastNotAfter } = done;
  const value: Revocation = {
    dryRun,
    already,
    ...(token === undefined ? {} : { token }),
    instances: named,
    serials: [...done.serials],
    registrations,
    ...(lastNotAfter === 0 ? {} : { proxylessUntil: new Date(lastNotAfter).toISOString() }),
    openTokens: [...done.openTokens],
  };
  const subjects =
    token === undefined ? named.map(({ id, spiffeId, grant }) => ({ subject: `instance/${id}`, before: { spiffeId, grant } })) : [];
  const diff = token === undefined ? subjects : [{ subject: `token/${token}`, before: { instances: named.map(({ id }) => id) } }];
  return { value, diff: dryRun || already ? [] : diff };
}

/** Proxies that do not have all that there is, and instances of this replica whose proxy is not here at all. */
function statusOf(
  records: readonly RegisteredInstance[],
  clients: readonly XdsClientStatus[],
  { mesh, identity, replica }: RevocationHomeParts,
): RevocationStatus {
  const reached = clients.filter(({ dialect }) => dialect !== 'grpc');
  const behind = reached.filter(({ current }) => !current);
  const connected = new Set(clients.map(({ identity: id, instance }) => `${id}#${instance}`));
  const absent = records.flatMap((record) => {
    const { namespace, serviceAccount, instance } = record;
    const id = formatSpiffeId({ trustDomain: mesh.trustDomain, namespace, serviceAccount });
    const elsewhere = record.replica !== replica && !record.expired;
    if (elsewhere || connected.has(`${id}#${instance}`)) return [];
    return [{ instance, identity: id, dialect: 'native', reason: 'not connected: it acts by what it heard last' }];
  });
  return {
    denied: identity.authority.bundle().deniedSerials.length,
    laggards: [
      ...behind.map(({ instance, identity: id, dialect, dataAgeMs }) => {
        return { instance, identity: id, dialect, reason: `has not acknowledged what it was sent ${Math.round(dataAgeMs)} ms ago` };
      }),
      ...absent,
    ],
    proxyless: clients.filter(({ dialect }) => dialect === 'grpc').map(({ instance }) => instance),
  };
}
