export type { DataPlaneContext, DataPlaneLimits, HttpLimits, StateView } from './context.ts';
export type { CountedContext } from './counted-context.ts';
export type { EngineLimits, PeerIdentity } from './engine/contract.ts';
export type { EnvoyStatus, ProxyStatus } from './envoy/describe-proxy.ts';
export { proxyBefore } from './envoy/describe-proxy.ts';
export type { EnvoyProxy, EnvoyProxyOptions } from './envoy/envoy-proxy.ts';
export type { LocalServer, LocalServerOptions, RefusedResource } from './envoy/local-server.ts';
export { LocalView } from './envoy/local-view.ts';
export type { EnvoyNode } from './envoy/node-file.ts';
export { bindOwnerSocket } from './envoy/owner-socket.ts';
export type {
  CaptureListener,
  Inbound,
  InboundService,
  OpenPort,
  Outbound,
  OutboundCallers,
  OutboundListener,
  PlainPlace,
} from './inbound/contract.ts';
export { createInbound } from './inbound/inbound.ts';
export { createOutbound } from './inbound/outbound.ts';
export { type CountedPort, type PlaintextCount, PlaintextCounter } from './inbound/plaintext-counter.ts';
export { exposedName, exposedPorts } from './inbound/rules.ts';
export { defaultLimits, limitsOf } from './limits.ts';
export { guardMemory } from './memory-guard.ts';
export { engineOf, sayStarting } from './starting.ts';
export type { DataPlaneState, Interest, RestoredState, StateFeedOptions } from './state/index.ts';
export { adsTrust, emptyState, loadState, StateFeed, StateStore, saveState } from './state/index.ts';
export { trustOf } from './tables.ts';
export type { Flows } from './telemetry/flows/index.ts';
export { openFlows } from './telemetry/flows/index.ts';
export { createAccessLog, logGate } from './telemetry/index.ts';
export { troubleTeller } from './telemetry/tell-trouble.ts';
export type { TunnelStatus } from './tunnel/contract.ts';
export { registerTunnelMetrics } from './tunnel/metrics.ts';
export type { Tunnels } from './tunnel/open-tunnels.ts';
export { openTunnels } from './tunnel/open-tunnels.ts';
export { tunnelReport } from './tunnel/report.ts';
export { loadTunnelSecret } from './tunnel/secret.ts';
