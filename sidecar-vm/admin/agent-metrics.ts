import { Gauge, type Registry } from 'prom-client';
import { version } from '../../core/version.ts';
import { registerTunnelMetrics } from '../../gateway/index.ts';
import type { AgentStatus } from '../contract.ts';

/** What an agent says of itself beside Istio's traffic metrics, read when scraped. Once a registry. */
export function registerAgentMetrics(registry: Registry, status: () => AgentStatus): void {
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[], collect: (gauge: Gauge<L>) => void) =>
    new Gauge<L>({
      name,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset();
        collect(this);
      },
    });
  registerTunnelMetrics(registry, () => ({ kept: status().tunnels ?? [], held: [] }));
  gauge('isthmus_build_info', 'Always 1; the version is a label.', ['version'], (g) => g.set({ version }, 1));
  gauge('isthmus_agent_stage', '1 when the machine has come this far: attested, registered, synced, healthy.', ['stage'], (g) => {
    for (const { stage, ok } of status().stages) g.set({ stage }, ok ? 1 : 0);
  });
  gauge('isthmus_agent_service_healthy', '1 healthy, 0 unhealthy; absent until checked.', ['namespace', 'service'], (g) => {
    for (const { namespace, name, health } of status().services)
      if (health !== 'unknown') g.set({ namespace, service: name }, health === 'healthy' ? 1 : 0);
  });
  gauge('isthmus_agent_port_taken', '1 for a port of a mesh service that the agent left to another program.', ['host', 'port'], (g) => {
    for (const { host, port } of status().taken) g.set({ host, port }, 1);
  });
  gauge('isthmus_agent_outbound_listeners', 'Ports that lead to mesh services.', [], (g) => g.set(status().outbound.length));
  gauge('isthmus_agent_xds_connected', '1 while the control plane answers.', [], (g) => g.set(status().data.connected ? 1 : 0));
  gauge('isthmus_agent_envoy_live', '1 while the Envoy that the agent runs serves; absent without one.', [], (g) => {
    const { proxy } = status();
    if (proxy.kind === 'envoy') g.set(proxy.state === 'live' ? 1 : 0);
  });
  gauge('isthmus_agent_envoy_update_rejected', 'Updates that Envoy refused since it started; absent without one.', [], (g) => {
    const { proxy } = status();
    if (proxy.kind === 'envoy') g.set(proxy.updateRejected);
  });
  gauge('isthmus_agent_xds_streams', 'Streams begun since the start; one that breaks or stands still is replaced.', [], (g) =>
    g.set(status().data.streams),
  );
  gauge('isthmus_agent_interest', 'Services subscribed to by name.', ['why'], (g) => {
    const { interest } = status();
    for (const why of ['configured', 'used', 'asked'] as const) g.set({ why }, interest.filter((each) => each.why === why).length);
  });
  gauge('isthmus_agent_data_age_seconds', 'Since the control plane last said that this is all there is.', [], (g) => {
    const { ageMs } = status().data;
    if (ageMs === undefined) g.remove();
    else g.set(ageMs / 1_000);
  });
}
