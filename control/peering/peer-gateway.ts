import { type ClusterId, isDnsLabel, networkId } from '../../core/model/index.ts';
import type { peering } from '../../core/xds/index.ts';
import type { GatewayRecord } from '../catalog/index.ts';

/** A peer's gateway as the catalog has it. */
export function gatewayRecordOf(
  { network, holdsTunnels, engine, tunnel, ...gateway }: peering.PeerGateway,
  cluster: ClusterId,
): GatewayRecord {
  return {
    ...gateway,
    cluster,
    network: networkId(network),
    ...(holdsTunnels === true ? { holdsTunnels } : {}),
    // A peer's own word, printed for people: what is no engine's name is not passed on.
    ...(engine !== undefined && isDnsLabel(engine) ? { engine } : {}),
    ...(tunnel === undefined ? {} : { tunnel: { ...tunnel, secretSha256: Buffer.from(tunnel.secretSha256).toString('hex') } }),
  };
}
