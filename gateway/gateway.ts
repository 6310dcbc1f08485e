import { Registry } from 'prom-client';
import { MeshError, toMeshError } from '../core/errors.ts';
import { followTrust, type InstanceRegistration, type ObtainedIdentity, onRenewal } from '../core/identity/index.ts';
import { childController } from '../core/lifecycle.ts';
import { systemClock } from '../core/system-clock.ts';
import type { agent } from '../core/xds/index.ts';
import {
  type GatewayStatus,
  healthPages,
  type ListenAddress,
  metricsPages,
  type PlainServer,
  registerGatewayMetrics,
  servePages,
} from './admin/index.ts';
import type { GatewayDeps, RunningGateway } from './contract.ts';
import { describeGateway } from './describe-gateway.ts';
import type { EnvoyProxy } from './envoy/envoy-proxy.ts';
import { openGatewayEnvoy } from './envoy/open-gateway.ts';
import { gatewayReport, openGatewayTunnels } from './gateway-tunnels.ts';
import type { HandOver } from './hand-over/index.ts';
import { defaultLimits, limitsOf } from './limits.ts';
import type { GatewayOptions } from './options.ts';
import { OwnProxy } from './own-proxy.ts';
import { beginHandOver, openFeed, openIdentity, register } from './start-parts.ts';
import { sayStarting } from './starting.ts';
import { adsTrust, emptyState, type StateFeed } from './state/index.ts';
import { createAccessLog, createGatewayLog, logGate } from './telemetry/index.ts';
import type { Tunnels } from './tunnel/open-tunnels.ts';

/** From saying goodbye until callers have heard of it, at most; a quarter of `drainMs` when that is less. */
const farewellMs = 500;

/** One gateway, of the kind that its options say: starts in order, ends in reverse. Everything it made is closed when `ended` settles or `start` rejects. */
export class Gateway implements RunningGateway {
  readonly ended: Promise<void>;
  readonly #options: GatewayOptions;
  readonly #deps: Required<GatewayDeps>;
  /** Ends every loop. */
  readonly #stop = new AbortController();
  /** Ends what there can be one of: whatever speaks to a control plane for this instance, or writes into its folder. */
  readonly #control = childController(this.#stop.signal);
  readonly #tasks: Promise<void>[] = [];
  #settle: { resolve: () => void; reject: (error: Error) => void } = { resolve: () => {}, reject: () => {} };
  #health: PlainServer | undefined;
  #metrics: PlainServer | undefined;
  #identity: ObtainedIdentity | undefined;
  #feed: StateFeed | undefined;
  #own: OwnProxy | undefined;
  #proxy: EnvoyProxy | undefined;
  #eastWest: ListenAddress | undefined;
  #registration: InstanceRegistration | undefined;
  #handOver: HandOver | undefined;
  /** That it keeps itself, as peers cannot dial it. */
  #tunnels: Tunnels | undefined;
  #finishing: Promise<void> | undefined;
  /** Another process serves as this instance. */
  #succeeded = false;
  #failure: Error | undefined;

  constructor(options: GatewayOptions, deps: GatewayDeps) {
    this.#options = options;
    this.#deps = {
      clock: deps.clock ?? systemClock,
      random: deps.random ?? Math.random,
      log: deps.log ?? createGatewayLog(options.instance),
      accessLog: logGate(() => this.#feed?.store.current, deps.accessLog ?? createAccessLog(options.instance)),
      metrics: deps.metrics ?? new Registry(),
      limits: limitsOf(options, deps.limits ?? defaultLimits),
    };
    this.ended = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.ended.catch(() => undefined);
  }

  async start(signal: AbortSignal): Promise<this> {
    let started = false;
    signal.addEventListener('abort', () => (started ? void this.drain() : this.#stop.abort(signal.reason)), { once: true });
    if (signal.aborted) this.#stop.abort(signal.reason);
    try {
      await this.#open();
    } catch (error) {
      if (this.#handOver?.tookOver === true) await this.#giveBack(error);
      await this.#dispose();
      throw error;
    }
    started = true;
    // The abort may have come between the last part and now.
    if (signal.aborted) void this.drain();
    return this;
  }

  get eastWest(): ListenAddress {
    return this.#eastWest ?? this.#options.listen;
  }

  get health(): ListenAddress {
    return this.#health ?? this.#options.health;
  }

  get metrics(): ListenAddress {
    return this.#metrics ?? this.#options.metrics;
  }

  status(): GatewayStatus {
    return describeGateway({
      options: this.#options,
      listen: this.#options.kind === 'gateway' ? this.eastWest : undefined,
      identity: this.#identity,
      registration: this.#registration?.status(),
      feed: this.#feed,
      own: this.#own,
      kept: this.#tunnels,
      proxy: this.#proxy,
      // Where another process serves as this instance, it is not drained.
      draining: this.#finishing !== undefined && !this.#succeeded,
    });
  }

  drain(): Promise<void> {
    this.#finishing ??= this.#finish();
    return this.#finishing;
  }

  async #open(): Promise<void> {
    const { log, metrics } = this.#deps;
    sayStarting({ kind: this.#options.kind }, this.#options, log);
    registerGatewayMetrics(metrics, () => this.status());
    const handOver = await beginHandOver(this.#options, this.#deps, this.#stop.signal);
    this.#handOver = handOver;
    // First, so that whoever asks sees what is waited for; of two processes, the one that serves is asked.
    if (handOver?.tookOver !== true) await this.#openPages();
    const { signal } = this.#control.controller;
    const identity = await openIdentity(this.#options, this.#deps, signal);
    this.#identity = identity;
    const feed = await openFeed(this.#options, identity, this.#deps, signal);
    this.#feed = feed;
    this.#eastWest = this.#options.proxy === 'isthmus' ? await this.#openOwn(identity, feed) : await this.#openEnvoy(identity, feed);
    if (handOver?.tookOver === true) await this.#openPages();
    await handOver?.serving();
    onRenewal(identity, () => feed.reconnect('the SVID was renewed'));
    followTrust(identity, adsTrust(feed.store, identity.token.trustDomain));
    // Nobody in the mesh dials an ingress gateway, so there is nothing of it to register.
    if (this.#options.kind === 'gateway') await this.#join(identity, feed, this.eastWest.port);
    const fed = feed.run();
    this.#run(fed);
    if (handOver !== undefined) {
      this.#run(handOver.forgetUnclaimed());
      await handOver.offer(
        () => this.#prepare(feed),
        () => this.#letGo([fed, this.#registration?.ended]),
      );
    }
    const at = this.#eastWest === undefined ? {} : { address: this.#eastWest.address, port: this.#eastWest.port };
    const engine = this.#own === undefined ? {} : { engine: this.#own.plane.engine };
    log.info({ kind: this.#options.kind, ...at, from: feed.from(), ...engine }, 'serving');
  }

  async #openPages(): Promise<void> {
    const { health, metrics } = this.#options;
    const listeners = this.#handOver?.listeners;
    const state = () => this.#feed?.store.current ?? emptyState;
    this.#health = await servePages(
      'health',
      health,
      healthPages(() => this.status(), state),
      listeners,
    );
    const more = async () => (await this.#proxy?.metrics()) ?? '';
    this.#metrics = await servePages('metrics', metrics, metricsPages(this.#deps.metrics, more), listeners);
  }

  async #join(identity: ObtainedIdentity, feed: StateFeed, port: number): Promise<void> {
    const { signal } = this.#control.controller;
    this.#tunnels = await openGatewayTunnels(this.#options, () => this.eastWest, identity, feed, this.#deps);
    const engine = this.#own?.plane.engine.name ?? 'envoy';
    this.#registration = await register(this.#options, { port, engine }, identity, this.#report(false), this.#deps, signal);
    this.#run(this.#registration.ended);
    const report = () => this.#registration?.report(this.#report(this.#finishing !== undefined));
    this.#tunnels?.subscribe(report);
    this.#own?.tunnels?.subscribe(report);
    if (this.#tunnels !== undefined) this.#run(this.#tunnels.run(this.#stop.signal));
  }

  /** Our own proxy. */
  #openOwn(identity: ObtainedIdentity, feed: StateFeed): Promise<ListenAddress | undefined> {
    this.#own = new OwnProxy({
      options: this.#options,
      deps: this.#deps,
      identity,
      feed,
      listeners: this.#handOver?.listeners,
      signal: this.#stop.signal,
      draining: () => this.#finishing !== undefined,
      run: (task) => this.#run(task),
    });
    return this.#own.open();
  }

  /** Envoy, fed by the control plane; from us it has its secrets. */
  async #openEnvoy(identity: ObtainedIdentity, feed: StateFeed): Promise<ListenAddress> {
    const { proxy, eastWest, flows } = await openGatewayEnvoy(this.#options, identity, feed, this.#deps, this.#stop.signal);
    this.#proxy = proxy;
    this.#run(flows.run(this.#stop.signal));
    return eastWest;
  }

  #report(draining: boolean): agent.Report {
    return gatewayReport(draining, this.#tunnels, this.#own?.tunnels);
  }

  /** A task that fails ends the gateway, with its error. */
  #run(task: Promise<void>): void {
    const running = task
      .catch((error: unknown) => {
        if (this.#stop.signal.aborted) return;
        this.#failure ??= toMeshError(error);
        void this.drain();
      })
      .finally(() => this.#tasks.splice(this.#tasks.indexOf(running), 1));
    this.#tasks.push(running);
  }

  /** The process before goes on; who was let in here meanwhile is served to the end. */
  async #giveBack(error: unknown): Promise<void> {
    this.#deps.log.error({ reason: toMeshError(error).message }, 'the start failed');
    await this.#handOver?.close();
    await this.#own?.plane.drain(this.#options.drainMs);
  }

  async #prepare(feed: StateFeed): Promise<void> {
    if (this.#finishing !== undefined) throw new MeshError('CONFLICT', 'it is draining already');
    await feed.save();
  }

  /** Another process serves. Resolves when it may speak for this instance; what runs here is finished as in any drain. */
  async #letGo(ends: readonly (Promise<void> | undefined)[]): Promise<void> {
    const { log } = this.#deps;
    const { drainMs } = this.#options;
    log.info({ drainMs, connections: this.status().connections }, 'another process takes over');
    this.#succeeded = true;
    this.#health?.stop();
    this.#metrics?.stop();
    const drained = Promise.all([this.#own?.plane.drain(drainMs)]).catch((error: unknown) =>
      log.error({ error: String(error) }, 'the drain was cut short'),
    );
    this.#finishing ??= drained.then(() => this.#dispose());
    this.#tunnels?.drain();
    this.#own?.tunnels?.drain();
    this.#control.controller.abort();
    await Promise.all(ends.map((each) => each?.catch(() => undefined)));
  }

  async #finish(): Promise<void> {
    const { clock, log } = this.#deps;
    const { drainMs } = this.#options;
    const deadline = clock.monotonic() + drainMs;
    log.info({ drainMs, connections: this.status().connections }, 'draining');
    try {
      if (this.#registration?.status().state === 'registered') {
        // Callers hear of it from the control plane; until they have, connections are still taken.
        this.#registration.report(this.#report(true));
        await clock.sleep(Math.min(farewellMs, drainMs / 4));
      }
      const left = Math.max(0, deadline - clock.monotonic());
      this.#tunnels?.drain();
      this.#own?.tunnels?.drain();
      await Promise.all([this.#own?.plane.drain(left), this.#proxy?.drain(left)]);
    } catch (error) {
      log.error({ error: String(error) }, 'the drain was cut short');
    }
    await this.#dispose();
  }

  async #dispose(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#tasks);
    this.#own?.tunnels?.dispose();
    await this.#handOver?.close();
    await Promise.all([this.#own?.plane.dispose(), this.#proxy?.dispose(), this.#health?.close(), this.#metrics?.close()]);
    if (this.#failure === undefined) this.#settle.resolve();
    else this.#settle.reject(this.#failure);
  }
}
