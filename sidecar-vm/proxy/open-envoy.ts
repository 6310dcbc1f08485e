import { MeshError } from '../../core/errors.ts';
import type { ObtainedIdentity } from '../../core/identity/index.ts';
import { freePort, startEnvoyProxy } from '../../gateway/envoy/index.ts';
import { type EnvoyProxy, type Flows, openFlows, PlaintextCounter, type StateFeed, trustOf } from '../../gateway/index.ts';
import type { AgentDeps, ListenAddress } from '../contract.ts';
import type { AgentOptions } from '../options.ts';
import { countEntries } from './count-entries.ts';
import { EnvoyTraffic } from './envoy-traffic.ts';

/** Envoy in place of our own proxy, or what Envoys beside this agent need. MeshErrors as startEnvoyProxy's. */
export async function openEnvoyTraffic(
  options: AgentOptions,
  identity: ObtainedIdentity,
  feed: StateFeed,
  deps: Required<AgentDeps>,
): Promise<{ readonly proxy: EnvoyProxy; readonly traffic: EnvoyTraffic; readonly port: ListenAddress; readonly flows: Flows }> {
  const { stateDir, instance, network, locality, labels, inbound, envoyPath, drainMs } = options;
  const told = options.services.find(({ proxyProtocol }) => proxyProtocol !== undefined);
  if (told !== undefined) {
    const what = `the PROXY protocol of ${told.namespace}/${told.name}`;
    throw new MeshError('CONFIG_INVALID', `${what} is spoken by --proxy isthmus alone: use that, or take it out of the service`);
  }
  const { clock, random, log, accessLog } = deps;
  const { spiffeId, cluster } = identity.current();
  const port = { address: inbound.address, port: inbound.port === 0 ? await freePort(inbound.address) : inbound.port };
  const services = options.services.map(({ namespace, name, port: servicePort, protocol, appAddress, appPort }) => {
    return { namespace, name, port: servicePort, protocol, address: appAddress, target: appPort };
  });
  let started: EnvoyProxy | undefined;
  const flows = openFlows({ role: 'agent', identity, instance, lost: () => started?.lostEntries() ?? 0, clock, random, log });
  const plaintext = new PlaintextCounter(clock);
  const proxy = await startEnvoyProxy({
    mode: options.proxy === 'envoy' ? 'envoy' : 'none',
    envoyPath,
    stateDir,
    node: {
      version: 1,
      kind: 'agent',
      identity: spiffeId,
      cluster,
      instance,
      network,
      locality,
      labels,
      controlAddresses: [...identity.token.addresses],
      inbound: { ...port, services },
    },
    identity,
    trust: () => trustOf(feed.store.current, identity.bundle()),
    controlAnswers: () => feed.status().state === 'connected',
    listenersFrom: 'agent',
    passthrough: options.capture !== undefined,
    drainMs,
    flows: countEntries(flows.sink, plaintext),
    clock,
    random,
    log,
    accessLog,
  });
  started = proxy;
  const source = { namespace: spiffeId.namespace, labels };
  const { trustDomain } = spiffeId;
  const traffic = new EnvoyTraffic({ proxy, inbound: port, trustDomain, state: feed.store, source, plaintext, clock });
  return { proxy, traffic, port, flows };
}
