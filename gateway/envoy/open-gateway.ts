import type { ObtainedIdentity } from '../../core/identity/index.ts';
import type { ListenAddress } from '../admin/index.ts';
import type { GatewayDeps } from '../contract.ts';
import type { GatewayOptions } from '../options.ts';
import type { StateFeed } from '../state/index.ts';
import { trustOf } from '../tables.ts';
import { type Flows, openFlows } from '../telemetry/flows/index.ts';
import { type EnvoyProxy, startEnvoyProxy } from './envoy-proxy.ts';
import { freePort } from './free-port.ts';

/** Envoy waits 15 s for a control plane that does not answer. */
const startPatienceMs = 20_000;

/** Envoy as the east-west gateway, or what Envoys beside this gateway need. MeshErrors as startEnvoyProxy's. */
export async function openGatewayEnvoy(
  options: GatewayOptions,
  identity: ObtainedIdentity,
  feed: StateFeed,
  deps: Required<GatewayDeps>,
  signal: AbortSignal,
): Promise<{ readonly proxy: EnvoyProxy; readonly eastWest: ListenAddress; readonly flows: Flows }> {
  const { stateDir, instance, network, locality, labels, listen, envoyPath, drainMs } = options;
  const { clock, random, log, accessLog } = deps;
  const { spiffeId, cluster } = identity.current();
  const eastWest = { address: listen.address, port: listen.port === 0 ? await freePort(listen.address) : listen.port };
  let started: EnvoyProxy | undefined;
  const flows = openFlows({ role: 'gateway', identity, instance, lost: () => started?.lostEntries() ?? 0, clock, random, log });
  const proxy = await startEnvoyProxy({
    mode: options.proxy === 'envoy' ? 'envoy' : 'none',
    envoyPath,
    stateDir,
    node: {
      version: 1,
      kind: 'gateway',
      identity: spiffeId,
      cluster,
      instance,
      network,
      locality,
      labels,
      controlAddresses: [...identity.token.addresses],
      inbound: { ...eastWest, services: [], originate: options.originateAddress },
    },
    identity,
    trust: () => trustOf(feed.store.current, identity.bundle()),
    controlAnswers: () => feed.status().state === 'connected',
    listenersFrom: 'control',
    drainMs,
    flows: flows.sink,
    clock,
    random,
    log,
    accessLog,
  });
  started = proxy;
  feed.store.subscribe(() => proxy.local.refresh());
  try {
    await proxy.serving(startPatienceMs, signal);
  } catch (error) {
    await proxy.dispose();
    throw error;
  }
  return { proxy, eastWest, flows };
}
