import type { Socket } from 'node:net';
import { formatSpiffeId } from '../core/model/index.ts';
import { ConnectionBreakers } from './breakers/connection-breakers.ts';
import type { CountedContext } from './counted-context.ts';
import { Deadlines } from './deadlines.ts';
import {
  Balancer,
  type ClusterTable,
  type ConnectionReport,
  type DeliveredConnection,
  type DialRequest,
  type Engine,
  type EngineListener,
  type EngineListenerSpec,
  type EngineOptions,
  type EngineTables,
  findSniRule,
  lookedAt,
  openEngine,
  sourceAllowed,
} from './engine/index.ts';
import {
  Budgets,
  deniedReply,
  type ForwardTables,
  Http1Upstream,
  Http2Upstream,
  HttpForwarder,
  type Judged,
  type RequestHead,
  type RequestReport,
  SessionPool,
  UpstreamByProtocol,
  UpstreamPool,
  WatchedUpstream,
} from './forward/index.ts';
import { checkPerformer } from './health/active/perform-check.ts';
import { EndpointHealth } from './health/endpoint-health.ts';
import { judgeRequest } from './judge-request.ts';
import { keepRequestsYoung } from './keep-requests-young.ts';
import { Router } from './routing/index.ts';
import { type Rules, trustOf } from './tables.ts';
import { connectionEntry, registerCertificateExpiry, registerLatencies, requestEntry, TrafficMetrics } from './telemetry/index.ts';
import { tunnelKey } from './tunnel/contract.ts';

const undecided: Judged = {};

/** One engine with what decides for it: rules, passive health, HTTP, telemetry. A gateway is one of these; an agent two. */
export class DataPlane {
  readonly #context: CountedContext;
  readonly #rules: () => Rules;
  readonly #engine: Engine;
  /** Why it is not the native engine; see OpenedEngine. */
  readonly #instead: string | undefined;
  readonly #forwarder: HttpForwarder;
  readonly #pool: UpstreamPool;
  readonly #sessions: SessionPool;
  readonly #health: EndpointHealth;
  readonly #balancer: Balancer;
  readonly #budgets = new Budgets();
  readonly #metrics: TrafficMetrics;
  readonly #unsubscribe: (() => void)[];
  #tables: EngineTables;
  /** Made of those: asked for several times by each request. */
  #forwardTables: ForwardTables;

  /** `rules`: asked for after each change of state, and after `refresh`. `carrier`: see EngineOptions. */
  constructor(context: CountedContext, rules: () => Rules, carrier?: EngineOptions['carrier']) {
    keepRequestsYoung();
    const { clock, random, limits, identity, state, metrics, node } = context;
    this.#context = context;
    this.#rules = rules;
    this.#health = new EndpointHealth({
      clock,
      random,
      check: checkPerformer({ clock, dial: (request) => this.#engine.dial(request) }),
      onChecked: (cluster, result) => this.#metrics.checked(cluster, result),
      onChange: () => this.#apply({ ...this.#tables, ejected: this.#health.ejected }),
    });
    this.#tables = this.#build();
    this.#forwardTables = forwardTablesOf(this.#tables);
    this.#metrics = new TrafficMetrics(metrics, { cluster: node.cluster, spiffeId: () => this.#spiffeId() });
    registerCertificateExpiry(metrics, () => identity.current().notAfter);
    this.#balancer = new Balancer(random, clock);
    const caller = { namespace: identity.current().spiffeId.namespace, labels: node.labels ?? {} };
    const breakers = new ConnectionBreakers((clusterName, limit) => this.#metrics.overflow(clusterName, limit));
    const opened = openEngine(
      context.engine ?? 'node',
      {
        limits: limits.engine,
        clock,
        random,
        ...(context.engineThreads === undefined ? {} : { threads: context.engineThreads }),
        ...(context.resumeTls === undefined ? {} : { resumeTls: context.resumeTls }),
        caller,
        deliver: (connection) => this.#deliver(connection),
        openTunnel: ({ tunnel }) => (tunnel === undefined ? undefined : this.#context.tunnels?.open(tunnelKey(tunnel))),
        onConnection: (report) => this.#onConnection(report),
        onForward: (report) => this.#context.flows?.opened(report),
        onPeer: (peer) => identity.roots?.count(peer.root, peer),
        onAttempt: (attempt) => this.#health.record(attempt),
        onDial: (endpoint, socket) => this.#health.opened(endpoint, socket),
        ...(context.listeners === undefined ? {} : { listeners: context.listeners }),
        originalDestination: context.originalDestination,
        ...(carrier === undefined ? {} : { carrier }),
        admit: (clusterName, always) => breakers.connect(this.#tables.clusters.get(clusterName), always),
        ...(context.onTrouble === undefined ? {} : { onTrouble: context.onTrouble }),
      },
      this.#tables,
    );
    this.#engine = opened.engine;
    this.#instead = opened.instead;
    const { engine } = opened;
    if (engine.places !== undefined && engine.giveUp !== undefined) {
      this.#health.follow({ places: () => engine.places?.() ?? [], giveUp: (endpoint, own) => engine.giveUp?.(endpoint, own) });
    }
    const pooled = {
      clock,
      dial: (request: DialRequest) => this.#engine.dial(request),
      identity: () => this.#tables.svid.serial,
      limits: limits.http,
      random,
      wait: (cluster: ClusterTable) => breakers.wait(cluster),
    };
    this.#pool = new UpstreamPool(pooled);
    this.#sessions = new SessionPool({ ...pooled, maxHeaderBytes: limits.http.maxHeaderBytes });
    const upstream = new UpstreamByProtocol(new Http1Upstream(this.#pool, limits.http), new Http2Upstream(this.#sessions));
    this.#forwarder = new HttpForwarder({
      clock,
      random,
      limits: limits.http,
      balancer: this.#balancer,
      router: new Router(caller),
      budgets: this.#budgets,
      upstream: new WatchedUpstream(upstream, this.#health),
      deadlines: new Deadlines(clock),
      tables: () => this.#forwardTables,
      judge: (connection, request, headers) => this.#judge(connection, request, headers),
      routingName: ({ listener, routingName }) => {
        const plain = this.#tables.plain.get(listener);
        return plain === undefined ? routingName : plain.routingName;
      },
      onAttempt: (attempt) => this.#health.record(attempt),
      onCopy: (clusterName) => this.#context.flows?.copy(clusterName),
      onCopyDropped: (clusterName) => this.#metrics.overflow(clusterName, 'copies'),
      onRequest: (report) => this.#onRequest(report),
    });
    this.#unsubscribe = [
      state.subscribe(() => this.refresh()),
      identity.subscribe(() => this.refresh()),
      registerLatencies(metrics, () => this.#engine.latencies()),
      context.memory?.guard(this.#engine) ?? (() => {}),
    ];
  }

  get tables(): EngineTables {
    return this.#tables;
  }

  /** Takes changed rules over: new connections and requests see them, running ones go on. */
  refresh(): void {
    this.#apply(this.#build());
  }

  listen(spec: EngineListenerSpec): Promise<EngineListener> {
    return this.#engine.listen(spec);
  }

  adopt(spec: EngineListenerSpec, socket: Socket): void {
    this.#engine.adopt(spec, socket);
  }

  /** What moves its bytes, and why it is not the native engine where that was asked for. */
  get engine(): { readonly name: Engine['name']; readonly instead?: string } {
    return { name: this.#engine.name, ...(this.#instead === undefined ? {} : { instead: this.#instead }) };
  }

  get openConnections(): number {
    return this.#engine.counters().open;
  }

  /** xDS clusters that open connections lead to. */
  get inUse(): ReadonlySet<string> {
    return this.#engine.counters().inUse;
  }

  async drain(deadlineMs: number): Promise<void> {
    this.#forwarder.drain();
    await this.#engine.drain(deadlineMs);
  }

  async dispose(): Promise<void> {
    for (const undo of this.#unsubscribe.splice(0)) undo();
    this.#health.dispose();
    this.#pool.close();
    this.#sessions.close();
    await this.#engine.dispose();
  }

  #deliver(connection: DeliveredConnection): void {
    const { tunnel, socket, peer, source } = connection;
    if (tunnel === undefined) this.#forwarder.handle(connection);
    else if (peer === undefined || this.#context.tunnels === undefined) socket.destroy();
    else void this.#context.tunnels.take({ socket, peer, address: source.address });
  }

  #build(): EngineTables {
    const { identity, state } = this.#context;
    const rules = this.#rules();
    this.#health.keepOnly(rules.clusters);
    return { ...rules, ejected: this.#health.ejected, svid: identity.current(), trust: trustOf(state.current, identity.bundle()) };
  }

  #apply(tables: EngineTables): void {
    this.#tables = tables;
    this.#forwardTables = forwardTablesOf(tables);
    this.#balancer.keepOnly(tables.clusters);
    this.#budgets.keepOnly(tables.clusters);
    this.#pool.keepOnly(tables.clusters, tables.ejected);
    this.#sessions.keepOnly(tables.clusters, tables.ejected);
    this.#engine.apply(tables);
  }

  /** Requests are judged by the policy of their moment, byte streams by that of their beginning. */
  #judge(connection: DeliveredConnection, request: RequestHead, headers: readonly string[]): Judged {
    const { sni, peer, denied, listener, source } = connection;
    if (peer !== undefined) {
      const rule = findSniRule(this.#tables.sni, sni);
      if (rule?.mode === 'terminate') return judgeRequest(rule.authz, connection, request, headers, this.#context.clock.now());
      return denied === undefined ? undecided : { refused: deniedReply(denied) };
    }
    const exposed = connection.inTheClear === undefined ? undefined : this.#tables.exposed?.get(listener);
    if (exposed?.mode === 'strict') return { refused: deniedReply('plaintext_refused_by_peer_authentication') };
    if (exposed !== undefined) return judgeRequest(exposed.end.authz, connection, request, headers, this.#context.clock.now());
    const plain = this.#tables.plain.get(listener);
    const why = plain === undefined || sourceAllowed(plain.allow, source.address) ? denied : 'source_not_allowed';
    return why === undefined ? undecided : { refused: deniedReply(why) };
  }

  #spiffeId(): string {
    return this.#forwardTables.spiffeId;
  }

  #onRequest(report: RequestReport): void {
    const cluster = this.#tables.clusters.get(report.clusterName);
    const { peer, end } = report.connection;
    const { upstream, flags } = report;
    this.#metrics.request(report, {
      peer,
      inbound: end !== undefined,
      cluster,
      upstream,
      protocol: report.grpcStatus === undefined ? 'http' : 'grpc',
      flags,
    });
    this.#context.flows?.request(report);
    this.#context.accessLog(requestEntry(report, cluster, this.#spiffeId()));
  }

  #onConnection(report: ConnectionReport): void {
    if (report.reason === lookedAt) return;
    const cluster = this.#tables.clusters.get(report.clusterName);
    const { peer, end, upstream, flags } = report;
    this.#metrics.connection(report, { peer, inbound: end !== undefined, cluster, upstream, protocol: 'tcp', flags });
    this.#context.flows?.connection(report);
    // Each of its requests has an entry already.
    if (report.outcome === 'deliver') return;
    this.#context.accessLog(connectionEntry(report, cluster, this.#spiffeId(), this.#context.clock.now()));
  }
}

function forwardTablesOf({ clusters, routings, ejected, svid }: EngineTables): ForwardTables {
  return { clusters, routings, ejected, spiffeId: formatSpiffeId(svid.spiffeId) };
}
