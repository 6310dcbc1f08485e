import assert from 'node:assert/strict';
import type { AuthzRule } from '../../../core/authz/index.ts';
import type { Svid, TrustBundle } from '../../../core/identity/index.ts';
import { clusterSan, formatSpiffeId } from '../../../core/model/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import type {
  ClusterTable,
  ConnectionReport,
  DeliveredConnection,
  EndpointAttempt,
  Engine,
  EngineLimits,
  EngineOptions,
  EngineTables,
  PeerIdentity,
} from '../../../gateway/engine/contract.ts';
import { defaultLimits } from '../../../gateway/limits.ts';
import type { AuthzState, EndpointState } from '../../../gateway/state/types.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { TestSockets } from '../../support/mesh-sockets.ts';

export type MakeEngine = (options: EngineOptions, tables: EngineTables) => Engine;
/** What `EngineHarness` takes beside that. */
export type MoreOfEngine = ConstructorParameters<typeof EngineHarness> extends [MakeEngine, ...infer More] ? More : never;

export const sni = 'outbound_.80_._.orders.shop.mesh.internal';
export const clusterName = 'local|80||orders.shop.mesh.internal';
export const allowAll: AuthzState = {
  name: 'shop/orders',
  rules: [{ action: 'allow', name: 'everybody', principals: [], namespaces: [], clusters: [] }],
};

/** One that allows whoever it is told. */
export const authzRule = (more: Partial<AuthzRule>): AuthzRule => ({
  action: 'allow',
  name: 'r',
  principals: [],
  namespaces: [],
  clusters: [],
  ...more,
});

/** One engine with what it reports, and a mesh around it: clusters east and west of one trust domain. */
export class EngineHarness {
  readonly pki = new MeshPki();
  readonly sockets = new TestSockets();
  readonly reports: ConnectionReport[] = [];
  readonly attempts: EndpointAttempt[] = [];
  readonly delivered: DeliveredConnection[] = [];
  /** What an operator would be told. */
  readonly troubles: { readonly what: string; readonly detail: string }[] = [];
  /** Who has proven who they are. */
  readonly peers: PeerIdentity[] = [];
  /** Of the last listener. */
  port = 0;
  readonly server: Svid = this.pki.svid('east', 'shop', 'orders');
  readonly caller: Svid = this.pki.svid('west', 'web', 'front');
  readonly bundle: TrustBundle = this.pki.bundle;
  readonly engine: Engine;
  tables: EngineTables;

  constructor(make: MakeEngine, limits: Partial<EngineLimits> = {}, svid: Svid = this.server, options: Partial<EngineOptions> = {}) {
    this.tables = {
      sni: new Map(),
      plain: new Map(),
      clusters: new Map(),
      routings: new Map(),
      ejected: new Set(),
      svid,
      trust: this.bundle,
    };
    this.engine = make(
      {
        limits: { ...defaultLimits.engine, ...limits },
        clock: systemClock,
        random: () => 0,
        deliver: (connection) => this.delivered.push(connection),
        onConnection: (report) => this.reports.push(report),
        onPeer: (peer) => this.peers.push(peer),
        onAttempt: (attempt) => this.attempts.push(attempt),
        onTrouble: (what, detail) => this.troubles.push({ what, detail }),
        ...options,
      },
      this.tables,
    );
  }

  apply(change: Partial<EngineTables>): void {
    this.tables = { ...this.tables, ...change };
    this.engine.apply(this.tables);
  }

  /** One cluster under `clusterName`, with these endpoints. */
  endpoints(...endpoints: readonly EndpointState[]): void {
    this.apply({ clusters: new Map([[clusterName, clusterTable(clusterName, endpoints)]]) });
  }

  /** The engine itself has carried all of these, and so handed none over: one that stands behind another names connections otherwise. */
  assertCarried(reports: readonly ConnectionReport[] = this.reports): void {
    const letter = this.engine.name === 'native' ? 'n' : 'c';
    assert.deepEqual(
      reports.map(({ id }) => id.slice(0, 1)).filter((first) => first !== letter),
      [],
    );
  }

  async listenSni(): Promise<number> {
    this.port = (await this.engine.listen({ name: 'east-west', address: '127.0.0.1', port: 0, kind: 'sni' })).port;
    return this.port;
  }

  async listenPlain(): Promise<number> {
    return (await this.engine.listen({ name: 'plain', address: '127.0.0.1', port: 0, kind: 'plain' })).port;
  }

  /** What a caller demands of `server`. */
  get target() {
    return { sni, uriSans: [formatSpiffeId(this.server.spiffeId)], clusterSan: clusterSan('east', this.pki.trustDomain) };
  }

  async close(): Promise<void> {
    this.sockets.close();
    await this.engine.dispose();
  }
}

export function clusterTable(name: string, endpoints: readonly EndpointState[], more: Partial<ClusterTable> = {}): ClusterTable {
  const service = { host: 'orders.shop.mesh.internal', namespace: 'shop', service: 'orders' };
  return { name, ...service, connectTimeoutMs: 5_000, endpoints, ...more };
}

export function endpoint(port: number, more: Partial<EndpointState> = {}): EndpointState {
  return {
    address: '127.0.0.1',
    port,
    weight: 1,
    priority: 0,
    cluster: 'east',
    network: 'net-east',
    locality: '',
    runtime: 'vm',
    instance: `i${port}`,
    viaGateway: false,
    stale: false,
    draining: false,
    ...more,
  };
}
