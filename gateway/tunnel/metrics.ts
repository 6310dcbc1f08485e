import { Gauge, type Registry } from 'prom-client';
import type { TunnelStatus } from './contract.ts';

export interface TunnelsNow {
  /** Begun here. */
  readonly kept: readonly TunnelStatus[];
  /** Begun by others. */
  readonly held: readonly TunnelStatus[];
}

/** Read when scraped. Once a registry. */
export function registerTunnelMetrics(registry: Registry, now: () => TunnelsNow): void {
  new Gauge({
    name: 'isthmus_tunnels',
    help: 'Tunnels by who began them (kept: this process, held: others) and state.',
    labelNames: ['side', 'state'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [side, all] of Object.entries(now()) as [string, readonly TunnelStatus[]][]) {
        for (const state of ['open', 'leaving', 'connecting', 'waiting'])
          this.set({ side, state }, all.filter((t) => t.state === state).length);
      }
    },
  });
  new Gauge({
    name: 'isthmus_tunnel_streams',
    help: 'Connections in tunnels now, by who began the tunnels.',
    labelNames: ['side'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [side, all] of Object.entries(now()) as [string, readonly TunnelStatus[]][]) {
        this.set(
          { side },
          all.reduce((sum, { streams }) => sum + streams, 0),
        );
      }
    },
  });
}
