import { join } from 'node:path';
import { Registry } from 'prom-client';
import { toMeshError } from '../core/errors.ts';
import {
  controlChannel,
  followTrust,
  type InstanceRegistration,
  type ObtainedIdentity,
  obtainIdentity,
  onRenewal,
  registerInstance,
} from '../core/identity/index.ts';
import { systemClock } from '../core/system-clock.ts';
import { version } from '../core/version.ts';
import { type agent, buildNode, nativeOrder, nativeTypeUrls } from '../core/xds/index.ts';
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
import { gatewayOffer, gatewayReport, openGatewayTunnels } from './gateway-tunnels.ts';
import { defaultLimits } from './limits.ts';
import type { GatewayOptions } from './options.ts';
import { OwnProxy } from './own-proxy.ts';
import { adsTrust, emptyState, StateFeed } from './state/index.ts';
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
  /** That it keeps itself, as peers cannot dial it. */
  #tunnels: Tunnels | undefined;
  #finishing: Promise<void> | undefined;
  #failure: Error | undefined;

  constructor(options: GatewayOptions, deps: GatewayDeps) {
    this.#options = options;
    this.#deps = {
      clock: deps.clock ?? systemClock,
      random: deps.random ?? Math.random,
      log: deps.log ?? createGatewayLog(options.instance),
      accessLog: logGate(() => this.#feed?.store.current, deps.accessLog ?? createAccessLog(options.instance)),
      metrics: deps.metrics ?? new Registry(),
      limits: deps.limits ?? defaultLimits,
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
      draining: this.#finishing !== undefined,
    });
  }

  drain(): Promise<void> {
    this.#finishing ??= this.#finish();
    return this.#finishing;
  }

  async #open(): Promise<void> {
    const { health, metrics } = this.#options;
    const { log, metrics: registry } = this.#deps;
    registerGatewayMetrics(registry, () => this.status());
    // First, so that whoever asks sees what is waited for.
    this.#health = await servePages(
      'health',
      health,
      healthPages(
        () => this.status(),
        () => this.#feed?.store.current ?? emptyState,
      ),
    );
    this.#metrics = await servePages(
      'metrics',
      metrics,
      metricsPages(registry, async () => (await this.#proxy?.metrics()) ?? ''),
    );
    const identity = await this.#openIdentity();
    const feed = await this.#openFeed(identity);
    this.#eastWest = this.#options.proxy === 'isthmus' ? await this.#openOwn(identity, feed) : await this.#openEnvoy(identity, feed);
    onRenewal(identity, () => feed.reconnect('the SVID was renewed'));
    followTrust(identity, adsTrust(feed.store, identity.token.trustDomain));
    // Nobody in the mesh dials an ingress gateway, so there is nothing of it to register.
    if (this.#options.kind === 'gateway') {
      this.#tunnels = await openGatewayTunnels(this.#options, () => this.eastWest, identity, feed, this.#deps);
      this.#registration = await this.#register(identity, this.eastWest.port);
      this.#run(this.#registration.ended);
      const report = () => this.#registration?.report(this.#report(this.#finishing !== undefined));
      this.#tunnels?.subscribe(report);
      this.#own?.tunnels?.subscribe(report);
      if (this.#tunnels !== undefined) this.#run(this.#tunnels.run(this.#stop.signal));
    }
    this.#run(feed.run());
    const at = this.#eastWest === undefined ? {} : { address: this.#eastWest.address, port: this.#eastWest.port };
    const engine = this.#own === undefined ? {} : { engine: this.#own.plane.engine };
    log.info({ kind: this.#options.kind, ...at, from: feed.from(), ...engine }, 'serving');
  }

  async #openIdentity(): Promise<ObtainedIdentity> {
    const { stateDir, token, instance, attest: proof } = this.#options;
    const { clock, random, log } = this.#deps;
    const given = token === undefined ? {} : { token };
    const identity = await obtainIdentity({
      dir: join(stateDir, 'identity'),
      ...given,
      proof,
      instance,
      clock,
      random,
      log,
      signal: this.#stop.signal,
    });
    this.#identity = identity;
    return identity;
  }

  async #openFeed(identity: ObtainedIdentity): Promise<StateFeed> {
    const { kind, stateDir, instance, network, locality, labels, proxy } = this.#options;
    const { clock, random, log } = this.#deps;
    const { spiffeId, cluster } = identity.current();
    // Envoy is told all else by the control plane itself.
    const wanted = proxy === 'isthmus' ? nativeOrder : [nativeTypeUrls.bundle];
    this.#feed = await StateFeed.open({
      file: join(stateDir, 'state'),
      addresses: identity.token.addresses,
      security: () => controlChannel(identity, { cluster, now: () => clock.now() }),
      interest: () => new Map(wanted.map((typeUrl) => [typeUrl, '*'])),
      node: buildNode({ kind, identity: spiffeId, instance, network, locality, labels, version }),
      clock,
      random,
      log,
      signal: this.#stop.signal,
    });
    return this.#feed;
  }

  /** Our own proxy. */
  #openOwn(identity: ObtainedIdentity, feed: StateFeed): Promise<ListenAddress | undefined> {
    this.#own = new OwnProxy({
      options: this.#options,
      deps: this.#deps,
      identity,
      feed,
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

  async #register(identity: ObtainedIdentity, boundPort: number): Promise<InstanceRegistration> {
    const { stateDir, instance, network, locality, labels, advertise, advertisePort } = this.#options;
    const { clock, random, log } = this.#deps;
    return registerInstance({
      source: identity,
      dir: join(stateDir, 'identity'),
      addresses: () => identity.token.addresses,
      hello: {
        instance,
        network,
        addresses: [...advertise],
        role: { $case: 'gateway', value: { port: advertisePort ?? boundPort, ...(await gatewayOffer(this.#options)) } },
        labels,
        locality,
        version,
      },
      report: this.#report(false),
      clock,
      random,
      log,
      signal: this.#stop.signal,
    });
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
    await Promise.all([this.#own?.plane.dispose(), this.#proxy?.dispose(), this.#health?.close(), this.#metrics?.close()]);
    if (this.#failure === undefined) this.#settle.resolve();
    else this.#settle.reject(this.#failure);
  }
}
