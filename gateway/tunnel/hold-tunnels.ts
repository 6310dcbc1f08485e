import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { StateView } from '../context.ts';
import { TunnelHub, type TunnelHubLimits } from './hub.ts';
import { defaultMuxLimits } from './mux.ts';
import { tunnelOffers } from './tables.ts';

const defaultHubLimits: TunnelHubLimits = {
  maxTunnels: 4_096,
  maxPerIdentity: 1_024,
  maxPerInstance: 2,
  greetingMs: 5_000,
  mux: defaultMuxLimits,
};

/** The tunnels of a gateway, by what its control plane says of who may begin one. Ends with `signal`. */
export function holdTunnels(state: StateView, clock: Clock, log: Log, signal: AbortSignal): TunnelHub {
  const hub = new TunnelHub({
    offers: () => tunnelOffers(state.current),
    deniedSerials: () => [...state.current.bundles.values()].flatMap(({ deniedSerials }) => [...deniedSerials]),
    limits: defaultHubLimits,
    clock,
    log,
  });
  const undo = state.subscribe(() => hub.reconsider());
  signal.addEventListener('abort', undo, { once: true });
  return hub;
}
