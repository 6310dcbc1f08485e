import type { agent } from '../../core/xds/index.ts';
import type { TunnelStatus } from './contract.ts';

/** What the control plane is told: tunnels that take new streams. `kept`: begun here; `held`: begun by others. Pure. */
export function tunnelReport(kept: readonly TunnelStatus[], held: readonly TunnelStatus[]): agent.TunnelReport {
  return { kept: kept.flatMap(said), held: held.flatMap(said) };
}

function said({ peer, state, since = 0 }: TunnelStatus): agent.Tunnel[] {
  const slash = peer.indexOf('/');
  return state === 'open' ? [{ cluster: peer.slice(0, slash), instance: peer.slice(slash + 1), sinceMs: since }] : [];
}
