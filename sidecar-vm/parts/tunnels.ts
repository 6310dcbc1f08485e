import type { ObtainedIdentity } from '../../core/identity/index.ts';
import type { agent } from '../../core/xds/index.ts';
import { loadTunnelSecret, openTunnels, type StateFeed, type Tunnels, tunnelReport } from '../../gateway/index.ts';
import type { AgentDeps, ListenAddress } from '../contract.ts';
import type { AgentOptions } from '../options.ts';

/** What this machine registers of its tunnels; undefined: others dial its address. */
export async function tunnelOffer({ tunnel, stateDir }: AgentOptions): Promise<agent.TunnelOffer | undefined> {
  if (tunnel === 'off') return undefined;
  const { sha256 } = await loadTunnelSecret(stateDir);
  return { secretSha256: sha256 };
}

/** Streams are led to `inbound`, whatever proxy listens there. */
export async function openAgentTunnels(
  options: AgentOptions,
  inbound: ListenAddress,
  identity: ObtainedIdentity,
  feed: StateFeed,
  { clock, random, log }: Required<AgentDeps>,
): Promise<Tunnels | undefined> {
  const { tunnel, stateDir, instance } = options;
  if (tunnel === 'off') return undefined;
  const secret = await loadTunnelSecret(stateDir);
  const listener = () => inbound;
  return openTunnels({ state: feed.store, identity, instance, secret, count: tunnel.gateways, listener, clock, random, log });
}

/** For reports to the control plane. */
export function tunnelsSaid(tunnels: Tunnels | undefined): Pick<agent.Report, 'tunnels'> {
  return tunnels === undefined ? {} : { tunnels: tunnelReport(tunnels.status(), []) };
}
