import type { InboundService, StateFeed } from '../../gateway/index.ts';
import type { AgentDeps } from '../contract.ts';
import { type DnsServer, startDnsServer } from '../dns/index.ts';
import { agentFiles } from '../files.ts';
import { inboundServices, NameDiscovery, type OpenedNames, OutboundKeeper, type SettledState, want } from '../mesh/index.ts';
import type { AgentOptions } from '../options.ts';
import type { Traffic } from '../start-parts.ts';
import { type Capture, openCapture } from './capture.ts';

/** The services of the mesh, as this machine's programs find them: addresses, ports and names. */
export interface MeshSide {
  readonly keeper: OutboundKeeper;
  /** Absent where everything of the mesh is known. */
  readonly discovery: NameDiscovery | undefined;
  readonly capture: Capture | undefined;
  readonly dns: DnsServer;
}

interface MeshSideContext {
  readonly options: AgentOptions;
  readonly deps: Required<AgentDeps>;
  readonly traffic: Traffic;
  readonly feed: StateFeed;
  readonly mesh: SettledState;
  readonly opened: OpenedNames | undefined;
  /** What this machine serves, as the mesh knows it. */
  readonly onServices: (served: readonly InboundService[]) => void;
  /** Takes a task that goes on until `signal` aborts. */
  readonly run: (task: Promise<void>) => void;
  readonly signal: AbortSignal;
}

/** Gives each service its address, as it did before a restart, and serves it. MeshError PORT_TAKEN. */
export async function openMesh(context: MeshSideContext): Promise<MeshSide> {
  const { options, deps, traffic, feed, mesh, opened, run, signal } = context;
  const { clock, log, listeners } = deps;
  const files = agentFiles(options.stateDir);
  const capture = await openCapture(options, traffic.outbound, deps);
  let discovery: NameDiscovery | undefined;
  const keeper = new OutboundKeeper({
    options,
    capture,
    addressFile: files.addresses,
    outbound: traffic.outbound,
    mesh,
    onInterest: (wanted) => want(feed, wanted),
    onServices: (state) => context.onServices(inboundServices(options.services, state)),
    onDemand: opened !== undefined,
    onPlaced: () => discovery?.placed(),
    clock,
    log,
  });
  await keeper.load();
  await keeper.apply(false);
  if (capture !== undefined) run(capture.run(signal));
  if (opened !== undefined) {
    const { names } = opened;
    const [hostOf, place, inUse] = [keeper.hostOf.bind(keeper), keeper.place.bind(keeper), keeper.inUse.bind(keeper)];
    discovery = new NameDiscovery({ names, file: files.interest, feed, hostOf, place, inUse, clock, log, signal });
    run(discovery.run());
  }
  const discover = options.outbound.loopbackAddresses ? discovery : undefined;
  const dns = await startDnsServer({
    ...options.dns,
    listeners,
    zones: () => keeper.zones,
    ...(discover === undefined ? {} : { discover: (name) => discover.lookUp(name) }),
  });
  run(keeper.follow(() => feed.from() !== 'nothing', signal));
  return { keeper, discovery, capture, dns };
}
