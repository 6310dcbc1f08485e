import { MeshError } from '../core/errors.ts';
import { controlChannel, type ObtainedIdentity, obtainIdentity } from '../core/identity/index.ts';
import { version } from '../core/version.ts';
import { buildNode } from '../core/xds/index.ts';
import {
  type CountedContext,
  createInbound,
  createOutbound,
  defaultLimits,
  type EnvoyProxy,
  engineOf,
  type Flows,
  guardMemory,
  type Inbound,
  limitsOf,
  type Outbound,
  openFlows,
  StateFeed,
  type StateView,
  type Tunnels,
  troubleTeller,
} from '../gateway/index.ts';
import { type GrpcSupport, openGrpcSupport } from './certificates/index.ts';
import type { AgentDeps, ListenAddress } from './contract.ts';
import { agentFiles, isToLeave } from './files.ts';
import { type OpenIdentity, outboundCallers, servedByOwner } from './identities/index.ts';
import { agentInterest, inboundServices, type OpenedNames } from './mesh/index.ts';
import type { AgentOptions } from './options.ts';
import { redirectedFrom } from './parts/capture.ts';
import { openAgentTunnels } from './parts/tunnels.ts';
import type { EnvoyTraffic } from './proxy/index.ts';

/** What an agent is made of, one function a part. `signal` ends the part. */

export interface Traffic {
  readonly inbound: Inbound;
  readonly outbound: Outbound;
  /** Where mTLS comes in. */
  readonly port: ListenAddress;
  /** Where Envoy, or somebody else's, is behind the two. */
  readonly envoy?: { readonly proxy: EnvoyProxy; readonly traffic: EnvoyTraffic };
  readonly flows: Flows;
  /** Of a machine that nobody can dial. */
  readonly tunnels?: Tunnels;
}

/** From disk, or by redeeming the token as soon as a control plane answers. MeshErrors as obtainIdentity's. */
export async function openIdentity(options: AgentOptions, deps: Required<AgentDeps>, signal: AbortSignal): Promise<ObtainedIdentity> {
  if (await isToLeave(options.stateDir)) {
    throw new MeshError('CONFIG_INVALID', 'this machine has left the mesh: isthmus vm join TOKEN brings it back');
  }
  const { clock, random, log } = deps;
  const { token, instance, attest: proof } = options;
  try {
    return await obtainIdentity({ dir: agentFiles(options.stateDir).identity, token, proof, instance, clock, random, log, signal });
  } catch (error) {
    if (!(error instanceof MeshError) || (error.code !== 'IDENTITY_INVALID' && error.code !== 'PERMISSION_DENIED')) throw error;
    const [what, next] =
      proof === undefined
        ? ['join token', 'make a new one with isthmus vm token, and join with it']
        : ['proof', 'the log of the control plane says why; check the proof and the AttestationPolicy'];
    throw new MeshError(error.code, `the ${what} was refused: ${error.message}; ${next}`, { cause: error });
  }
}

export function openFeed(
  options: AgentOptions,
  identity: ObtainedIdentity,
  names: OpenedNames | undefined,
  deps: Required<AgentDeps>,
  signal: AbortSignal,
): Promise<StateFeed> {
  const { clock, random, log } = deps;
  const { instance, network, locality, labels } = options;
  const { spiffeId, cluster } = identity.current();
  const services = options.services.map(({ namespace, name }) => `${namespace}/${name}`);
  return StateFeed.open({
    file: agentFiles(options.stateDir).state,
    addresses: identity.token.addresses,
    security: () => controlChannel(identity, { cluster, now: () => clock.now() }),
    node: buildNode({ kind: 'agent', identity: spiffeId, instance, network, locality, labels, version, ...engineOf(options) }),
    interest: (kept) => agentInterest(kept, services, names, clock.monotonic(), options.tunnel !== 'off'),
    clock,
    random,
    log,
    signal,
  });
}

/** The bundle that came over ADS is the newest; before it there is the one that came with the identity. */
export function openGrpc(
  options: AgentOptions,
  identity: ObtainedIdentity,
  feed: StateFeed,
  { clock, log }: Required<AgentDeps>,
): Promise<GrpcSupport> {
  const { trustDomain } = identity.token;
  const current = () => feed.store.current.bundles.get(trustDomain) ?? identity.bundle();
  const trust = { current, subscribe: (listener: () => void) => feed.store.subscribe(listener) };
  return openGrpcSupport({ stateDir: options.stateDir, identity, trust, clock, log });
}

/** MeshError PORT_TAKEN when inbound's port cannot be had (Envoy tells of that later, in the status), and startEnvoyProxy's. */
export async function openTraffic(
  options: AgentOptions,
  identity: ObtainedIdentity,
  feed: StateFeed,
  mesh: StateView,
  deps: Required<AgentDeps>,
  others: readonly OpenIdentity[],
): Promise<Traffic> {
  const opened = await openProxy(options, identity, feed, mesh, deps, others);
  const tunnels = await openAgentTunnels(options, opened.port, identity, feed, deps);
  return tunnels === undefined ? opened : { ...opened, tunnels };
}

async function openProxy(
  options: AgentOptions,
  identity: ObtainedIdentity,
  feed: StateFeed,
  mesh: StateView,
  deps: Required<AgentDeps>,
  others: readonly OpenIdentity[],
): Promise<Traffic> {
  if (options.proxy !== 'isthmus') {
    // Envoy's messages are loaded where there is an Envoy.
    const { openEnvoyTraffic } = await import('./proxy/open-envoy.ts');
    const { proxy, traffic, port, flows } = await openEnvoyTraffic(options, identity, feed, deps);
    traffic.inbound.serve(inboundServices(options.services, feed.store.current));
    return { inbound: traffic.inbound, outbound: traffic.outbound, port, envoy: { proxy, traffic }, flows };
  }
  const { clock, random, metrics, accessLog, log, listeners } = deps;
  const flows = openFlows({ role: 'agent', identity, instance: options.instance, clock, random, log });
  const onTrouble = troubleTeller(log, metrics);
  const context: CountedContext = {
    state: feed.store,
    identity,
    clock,
    random,
    limits: limitsOf(options, defaultLimits),
    engine: options.engine,
    engineThreads: options.engineThreads,
    onTrouble,
    memory: guardMemory(clock, log, onTrouble),
    metrics,
    listeners,
    accessLog,
    flows: flows.sink,
    node: { cluster: identity.current().cluster, instance: options.instance, labels: options.labels },
  };
  const inbound = servedByOwner(createInbound(context), others);
  const calling = { ...context, state: mesh, originalDestination: redirectedFrom };
  const outbound = createOutbound(calling, outboundCallers(options, others, calling, { metrics, log }));
  try {
    inbound.serve(inboundServices(options.services, feed.store.current));
    const { address, port } = await inbound.listen(options.inbound);
    log.info({ engine: inbound.engine }, 'carrying traffic');
    return { inbound, outbound, port: { address, port }, flows };
  } catch (error) {
    await Promise.all([inbound.dispose(), outbound.dispose()]);
    throw error;
  }
}

/** Whose connections are the mesh's: this process's, and its Envoy's. */
export function ownPids(traffic: Traffic | undefined): number[] {
  const proxy = traffic?.envoy?.proxy.status();
  return proxy?.kind === 'envoy' && proxy.pid !== undefined ? [process.pid, proxy.pid] : [process.pid];
}
