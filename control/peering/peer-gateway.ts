import { type ClusterId, networkId } from '../../core/model/index.ts';
import type { peering } from '../../core/xds/index.ts';
import type { GatewayRecord } from '../catalog/index.ts';

/** A peer's gateway as the catalog has it. */
export function gatewayRecordOf({ network, holdsTunnels, tunnel, ...gateway }: peering.PeerGateway, cluster: ClusterId): GatewayRecord {
  return {
    ...gateway,
    cluster,
    network: networkId(network),
    ...(holdsTunnels === true ? { holdsTunnels } : {}),
    ...(tunnel === undefined ? {} : { tunnel: { ...tunnel, secretSha256: Buffer.from(tunnel.secretSha256).toString('hex') } }),
  };
}
