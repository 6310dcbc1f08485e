import { MeshError, toMeshError } from '../core/errors.ts';
import { followTrust, type ObtainedIdentity, onRenewal } from '../core/identity/index.ts';
import { readTable } from '../core/os/index.ts';
import type { agent } from '../core/xds/index.ts';
import { adsTrust, type InboundService, logGate, proxyBefore, type StateFeed, sayStarting } from '../gateway/index.ts';
import { type AdminServer, describeAgent, registerAgentMetrics, startAdmin } from './admin/index.ts';
import type { GrpcSupport } from './certificates/index.ts';
import type { AgentDeps, AgentStatus, ListenAddress, RunningAgent } from './contract.ts';
import { withDefaults } from './defaults.ts';
import { agentFiles, askToLeave, isToLeave, sayLeft } from './files.ts';
import { HealthBoard } from './health/index.ts';
import { type MachineRegistration, type OpenIdentity, openIdentities, withAllServices } from './identities/index.ts';
import { openNames, SettledState } from './mesh/index.ts';
import type { AgentOptions } from './options.ts';
import { type ExposedPorts, openExposed } from './parts/exposed-ports.ts';
import { registerAll } from './parts/identities.ts';
import { type MeshSide, openMesh } from './parts/mesh-side.ts';
import { followAddress, type OwnAddress, openOwnAddress } from './parts/own-address.ts';
import { giveBackAtRest } from './parts/rest.ts';
import { tunnelsSaid } from './parts/tunnels.ts';
import { openWorkloads, type Workloads } from './parts/workload-api.ts';
import { takenByOthers } from './proxy/index.ts';
import { ProcHolders, SocketWatcher } from './sockets/index.ts';
import { openFeed, openGrpc, openIdentity, openTraffic, ownPids, type Traffic } from './start-parts.ts';
import type { StateLock } from './state-lock.ts';
import { suspectOf } from './suspicion.ts';
import { envoyPatienceMs, farewellMs, leaveMs } from './waits.ts';

/** One VM agent: starts in order, ends in reverse. Everything it made is closed when `ended` settles or `start` rejects. */
export class Agent implements RunningAgent {
  readonly ended: Promise<void>;
  readonly #options: AgentOptions;
  readonly #deps: Required<AgentDeps>;
  readonly #lock: StateLock;
  readonly #board: HealthBoard;
  readonly #sockets: SocketWatcher;
  /** Ends every loop. */
  readonly #stop = new AbortController();
  readonly #tasks: Promise<void>[] = [];
  #settle: { resolve: () => void; reject: (error: Error) => void } = { resolve: () => {}, reject: () => {} };
  #admin: AdminServer | undefined;
  #identity: ObtainedIdentity | undefined;
  #registration: MachineRegistration | undefined;
  #address: OwnAddress | undefined;
  #feed: StateFeed | undefined;
  /** Ours and Envoy's, which is told by this agent what to do and writes all: what it says is heard before it is thrown away. */
  readonly #log: (entry: Readonly<Record<string, unknown>>) => void;
  /** Absent where this agent calls nobody. */
  #mesh: MeshSide | undefined;
  #traffic: Traffic | undefined;
  #grpc: GrpcSupport | undefined;
  #workloads: Workloads | undefined;
  /** Beside the one that it joined with. */
  #others: readonly OpenIdentity[] = [];
  #served: readonly InboundService[] = [];
  /** Lets go of the signal of the start. */
  #release: () => void = () => {};
  #exposed: ExposedPorts | undefined;
  #settled = false;
  #finishing: Promise<void> | undefined;
  #failure: Error | undefined;

  constructor(given: AgentOptions, deps: AgentDeps, lock: StateLock) {
    this.#options = withAllServices(given);
    const options = this.#options;
    this.#lock = lock;
    this.#deps = withDefaults(options, deps);
    this.#log = logGate(() => this.#feed?.store.current, this.#deps.accessLog);
    this.ended = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.ended.catch(() => undefined);
    const { clock, log } = this.#deps;
    this.#board = new HealthBoard(options.services, { clock, log, onChange: () => this.#report() });
    const { services, address } = options;
    const [pids, onReport] = [() => ownPids(this.#traffic), () => this.#report()];
    this.#sockets = new SocketWatcher({ services, address, pids, read: readTable, holders: new ProcHolders(), clock, onReport });
  }

  async start(signal: AbortSignal): Promise<this> {
    let started = false;
    const onAbort = () => (started ? void this.drain() : this.#stop.abort(signal.reason));
    signal.addEventListener('abort', onAbort, { once: true });
    this.#release = () => signal.removeEventListener('abort', onAbort);
    if (signal.aborted) this.#stop.abort(signal.reason);
    try {
      await this.#open();
    } catch (error) {
      await this.#dispose();
      throw error;
    }
    started = true;
    // The abort may have come between the last part and now.
    if (signal.aborted) void this.drain();
    return this;
  }

  get inbound(): ListenAddress {
    return this.#traffic?.port ?? this.#options.inbound;
  }

  get dns(): ListenAddress {
    return this.#mesh?.dns ?? this.#options.dns;
  }

  get admin(): ListenAddress {
    return this.#admin ?? this.#options.admin;
  }

  status(): AgentStatus {
    return describeAgent({
      options: this.#options,
      address: this.#address?.current,
      inbound: this.inbound,
      dns: this.dns,
      identity: this.#identity,
      others: this.#others,
      registration: this.#registration?.status(),
      reach: this.#registration?.reach(),
      feed: this.#feed,
      interest: this.#mesh?.discovery?.describe(),
      verdicts: this.#board.verdicts(),
      listeners: this.#mesh?.keeper.listeners ?? [],
      taken: [...(this.#mesh?.keeper.taken ?? []), ...(this.#exposed?.taken ?? []), ...takenByOthers(this.#traffic?.envoy?.traffic)],
      capture: this.#mesh?.capture?.status(),
      proxy: this.#traffic?.envoy?.proxy.status() ?? proxyBefore(this.#options.proxy),
      engine: this.#traffic?.inbound.engine,
      inboundFault: this.#traffic?.envoy?.traffic.inboundFault(),
      tunnels: this.#traffic?.tunnels?.status(),
      settled: this.#settled,
      draining: this.#finishing !== undefined,
    });
  }

  drain(): Promise<void> {
    this.#finishing ??= this.#finish();
    return this.#finishing;
  }

  async handOver(): Promise<void> {
    if (this.#traffic?.envoy !== undefined) throw new MeshError('CONFLICT', 'its Envoy holds the ports: restart the agent');
    if (this.#finishing !== undefined) return;
    const { drainMs } = this.#options;
    this.#deps.log.info({ drainMs }, 'another process takes over');
    const finished = [this.#traffic?.inbound.drain(drainMs), this.#traffic?.outbound.drain(drainMs)];
    this.#finishing = Promise.all(finished).then(() => this.#dispose());
    this.#finishing.catch((error: unknown) => this.#deps.log.error({ error: String(error) }, 'the drain was cut short'));
    this.#stop.abort();
    await Promise.all(this.#tasks);
    await Promise.all([this.#grpc?.close(), this.#workloads?.close(), this.#mesh?.dns.close(), this.#admin?.close()]);
    await this.#lock.release();
  }

  async leave(): Promise<void> {
    await askToLeave(this.#options.stateDir);
    await this.drain();
  }

  async #open(): Promise<void> {
    const [options, { signal }] = [this.#options, this.#stop];
    const deps = { ...this.#deps, accessLog: (entry: Readonly<Record<string, unknown>>) => this.#onAccess(entry) };
    const { metrics, clock, log, listeners } = deps;
    sayStarting({}, options, log);
    registerAgentMetrics(metrics, () => this.status());
    const more = async () => (await this.#traffic?.envoy?.proxy.metrics()) ?? '';
    // First, so that whoever asks sees what is waited for.
    this.#admin = await startAdmin({ ...options.admin, status: () => this.status(), metrics, listeners, more });
    const identity = await openIdentity(options, deps, signal);
    this.#identity = identity;
    this.#address = await openOwnAddress(options, identity, deps);
    this.#others = await openIdentities(options, deps, signal);
    const opened = await openNames(options, agentFiles(options.stateDir).interest, clock, log);
    const feed = await openFeed(options, identity, opened, deps, signal);
    this.#feed = feed;
    const mesh = new SettledState(feed, clock);
    const traffic = await openTraffic(options, identity, feed, mesh, deps, this.#others);
    this.#traffic = traffic;
    // Whoever runs Envoy here says what it listens for.
    if (options.proxy !== 'none') {
      this.#mesh = await openMesh({
        options,
        deps: this.#deps,
        traffic,
        feed,
        mesh,
        opened,
        onServices: (served) => {
          this.#served = served;
          traffic.inbound.serve(served);
        },
        run: (task) => this.#run(task),
        signal,
      });
      traffic.envoy?.traffic.release();
    }
    this.#exposed = await openExposed(options.services, traffic.inbound, () => this.#report(), { clock, log });
    // Nobody is sent here before it serves.
    await traffic.envoy?.proxy.serving(envoyPatienceMs, signal);
    if (traffic.envoy !== undefined) this.#run(traffic.envoy.traffic.run(signal));
    // Not before what is on disk is also listened for.
    this.#settled = feed.from() === 'disk';
    const open = { address: this.#address.current, inboundPort: traffic.port.port, isExposed: this.#exposed.isOpen };
    const registration = await registerAll(options, open, identity, this.#others, this.#saying(), deps, signal);
    this.#registration = registration;
    registration.subscribe(() => {
      this.#sockets.watch(registration.watches());
      this.#settled ||= registration.status().state === 'registered';
    });
    onRenewal(identity, () => feed.reconnect('the SVID was renewed'));
    for (const each of [identity, ...this.#others.map(({ source }) => source)])
      followTrust(each, adsTrust(feed.store, each.token.trustDomain));
    if (options.grpc) this.#grpc = await openGrpc(options, identity, feed, deps);
    this.#workloads = await openWorkloads(options, identity, this.#others, feed, deps);
    this.#run(traffic.flows.run(signal));
    this.#run(registration.ended);
    this.#run(followAddress(this.#address, registration, feed, signal));
    traffic.tunnels?.subscribe(() => this.#report());
    if (traffic.tunnels !== undefined) this.#run(traffic.tunnels.run(signal));
    this.#run(feed.run());
    for (const each of [this.#board, this.#sockets, this.#exposed]) this.#run(each.run(signal));
    this.#run(giveBackAtRest(clock, signal));
  }

  /** A task that fails ends the agent, with its error. */
  #run(task: Promise<void>): void {
    this.#tasks.push(
      task.catch((error: unknown) => {
        if (this.#stop.signal.aborted) return;
        this.#failure ??= toMeshError(error);
        void this.drain();
      }),
    );
  }

  #report(): void {
    this.#registration?.report(this.#saying());
  }

  #saying(): agent.Report {
    return {
      ...this.#board.report(this.#finishing !== undefined),
      sockets: this.#sockets.report(),
      ...tunnelsSaid(this.#traffic?.tunnels),
      ...this.#exposed?.report(),
    };
  }

  #onAccess(entry: Readonly<Record<string, unknown>>): void {
    const suspect = suspectOf(entry, this.#served);
    if (suspect !== undefined) this.#board.suspect(suspect.namespace, suspect.name);
    const { upstream_cluster: called } = entry;
    if (typeof called === 'string' && called.startsWith('outbound|')) this.#mesh?.discovery?.use(called.slice(called.lastIndexOf('|') + 1));
    this.#log(entry);
  }

  async #finish(): Promise<void> {
    const { clock, log } = this.#deps;
    const deadline = clock.monotonic() + this.#options.drainMs;
    const left = () => Math.max(0, deadline - clock.monotonic());
    log.info({ drainMs: this.#options.drainMs }, 'draining');
    try {
      await this.#farewell();
      this.#traffic?.tunnels?.drain();
      await this.#traffic?.inbound.drain(left());
      await this.#traffic?.outbound.drain(left());
    } catch (error) {
      log.error({ error: String(error) }, 'the drain was cut short');
    }
    await this.#dispose();
  }

  /** Callers hear of it from the control plane; until they have, connections are still taken. */
  async #farewell(): Promise<void> {
    const registration = this.#registration;
    const { stateDir, drainMs } = this.#options;
    if (registration?.status().state !== 'registered') return;
    if (await isToLeave(stateDir)) {
      await registration.leave(leaveMs);
      await sayLeft(stateDir, true);
    } else this.#report();
    await this.#deps.clock.sleep(Math.min(farewellMs, drainMs / 4));
  }

  async #dispose(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#tasks);
    const { inbound, outbound } = this.#traffic ?? {};
    await Promise.all([
      this.#grpc?.close(),
      this.#workloads?.close(),
      this.#mesh?.dns.close(),
      this.#admin?.close(),
      inbound?.dispose(),
      outbound?.dispose(),
    ]);
    await this.#lock.release();
    this.#release();
    if (this.#failure === undefined) this.#settle.resolve();
    else this.#settle.reject(this.#failure);
  }
}
