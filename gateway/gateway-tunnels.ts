import type { ObtainedIdentity } from '../core/identity/index.ts';
import type { agent } from '../core/xds/index.ts';
import type { ListenAddress } from './admin/index.ts';
import type { GatewayDeps } from './contract.ts';
import type { GatewayOptions } from './options.ts';
import type { StateFeed } from './state/index.ts';
import type { TunnelHub } from './tunnel/hub.ts';
import { openTunnels, type Tunnels } from './tunnel/open-tunnels.ts';
import { tunnelReport } from './tunnel/report.ts';
import { loadTunnelSecret } from './tunnel/secret.ts';

/** What a gateway registers as: where it is dialled, what moves its bytes, that it takes tunnels, and that it cannot be dialled and begins them itself. */
export async function gatewayRole(
  { proxy, behindNat, stateDir, advertisePort }: GatewayOptions,
  boundPort: number,
  engine: string,
): Promise<agent.Gateway> {
  const holds = proxy === 'isthmus' ? { holdsTunnels: true } : {};
  const role = { port: advertisePort ?? boundPort, engine, ...holds };
  if (!behindNat) return role;
  const { sha256 } = await loadTunnelSecret(stateDir);
  return { ...role, tunnel: { secretSha256: sha256 } };
}

/** Of a gateway that peers cannot dial: to gateways of each peer. Streams are led to its own east-west port. */
export async function openGatewayTunnels(
  { behindNat, tunnels, stateDir, instance }: GatewayOptions,
  listener: () => ListenAddress,
  identity: ObtainedIdentity,
  feed: StateFeed,
  { clock, random, log }: Required<GatewayDeps>,
): Promise<Tunnels | undefined> {
  if (!behindNat) return undefined;
  const secret = await loadTunnelSecret(stateDir);
  return openTunnels({ state: feed.store, identity, instance, secret, count: tunnels, listener, clock, random, log });
}

export function gatewayReport(draining: boolean, kept: Tunnels | undefined, held: TunnelHub | undefined): agent.Report {
  const [begun, taken] = [kept?.status() ?? [], held?.status() ?? []];
  const tunnels = begun.length + taken.length === 0 ? {} : { tunnels: tunnelReport(begun, taken) };
  return { draining, services: [], sockets: [], ...tunnels };
}
