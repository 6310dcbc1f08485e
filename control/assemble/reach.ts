import type { Clock } from '../../core/clock.ts';
import type { MeshSpec } from '../../core/config/index.ts';
import type { Log } from '../../core/log.ts';
import { networkId } from '../../core/model/index.ts';
import type { Ledger } from '../ca/index.ts';
import type { CatalogView } from '../catalog/index.ts';
import { type Instances, lookAt, ReachWatch } from '../registration/index.ts';
import { gatewaysFor } from '../snapshot/index.ts';
import type { ControlIdentity } from './control-identity.ts';

/** A handshake within a data centre takes milliseconds, one around the world less than a second. */
const lookMs = 5_000;

export interface ReachParts {
  readonly mesh: MeshSpec;
  readonly identity: ControlIdentity;
  readonly instances: Instances;
  readonly ledger: Ledger;
  /** For the gateways of other networks. */
  readonly view: () => CatalogView;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

/** Connecting back to what registers here, with this control plane's identity. */
export function createReachWatch({ mesh, identity, instances, ledger, view, clock, random, log }: ReachParts): ReachWatch {
  const around = {
    cluster: mesh.cluster,
    network: mesh.network,
    hostSuffix: mesh.hostSuffix,
    svid: () => identity.svid?.current(),
    bundle: () => identity.authority.bundle(),
    gatewaysOf: (network: string) =>
      gatewaysFor(view(), mesh.cluster, networkId(network)).flatMap(({ addresses, port }) =>
        addresses.map((address) => ({ address, port })),
      ),
    grantOf: async (serial: string) => (await ledger.grantOfSerial(serial))?.id,
    now: () => clock.now(),
    timeoutMs: lookMs,
  };
  return new ReachWatch({ instances, look: (workload, signal) => lookAt(workload, around, signal), clock, random, log });
}
