import { Gauge, type Registry } from 'prom-client';
import { registerTunnelMetrics } from '../tunnel/metrics.ts';
import type { GatewayStatus } from './contract.ts';

/** What a gateway says of its data beside Istio's traffic metrics, read when scraped. Once a registry. */
export function registerGatewayMetrics(registry: Registry, status: () => GatewayStatus): void {
  const gauge = (name: string, help: string, value: (data: GatewayStatus['data']) => number | undefined) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.reset();
        const now = value(status().data);
        if (now === undefined) this.remove();
        else this.set(now);
      },
    });
  registerTunnelMetrics(registry, () => status().tunnels);
  gauge('isthmus_gateway_xds_connected', '1 while the control plane answers.', ({ connected }) => (connected ? 1 : 0));
  gauge('isthmus_gateway_xds_streams', 'Streams begun since the start; one that breaks or stands still is replaced.', (d) => d.streams);
  gauge('isthmus_gateway_data_age_seconds', 'Since a control plane last said that this is all there is; over restarts too.', ({ ageMs }) =>
    ageMs === undefined ? undefined : ageMs / 1_000,
  );
}
