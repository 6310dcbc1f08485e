import type { Svid, TrustBundle } from '../../../core/identity/index.ts';
import { clusterSan, formatSpiffeId } from '../../../core/model/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import type {
  ConnectionReport,
  DeliveredConnection,
  EndpointAttempt,
  Engine,
  EngineLimits,
  EngineOptions,
  EngineTables,
} from '../../../gateway/engine/contract.ts';
import { defaultLimits } from '../../../gateway/limits.ts';
import type { AuthzState, EndpointState } from '../../../gateway/state/types.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { TestSockets } from '../../support/mesh-sockets.ts';

export type MakeEngine = (options: EngineOptions, tables: EngineTables) => Engine;

export const sni = 'outbound_.80_._.orders.shop.mesh.internal';
export const clusterName = 'local|80||orders.shop.mesh.internal';
export const allowAll: AuthzState = {
  name: 'shop/orders',
  rules: [{ action: 'allow', name: 'everybody', principals: [], namespaces: [], clusters: [] }],
};

/** One engine with what it reports, and a mesh around it: clusters east and west of one trust domain. */
export class EngineHarness {
  readonly pki = new MeshPki();
  readonly sockets = new TestSockets();
  readonly reports: ConnectionReport[] = [];
  readonly attempts: EndpointAttempt[] = [];
  readonly delivered: DeliveredConnection[] = [];
  readonly server: Svid = this.pki.svid('east', 'shop', 'orders');
  readonly caller: Svid = this.pki.svid('west', 'web', 'front');
  readonly bundle: TrustBundle = this.pki.bundle;
  readonly engine: Engine;
  tables: EngineTables;

  constructor(make: MakeEngine, limits: Partial<EngineLimits> = {}, svid: Svid = this.server) {
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
        onAttempt: (attempt) => this.attempts.push(attempt),
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
    const table = {
      name: clusterName,
      host: 'orders.shop.mesh.internal',
      namespace: 'shop',
      service: 'orders',
      connectTimeoutMs: 5_000,
      endpoints,
    };
    this.apply({ clusters: new Map([[clusterName, table]]) });
  }

  async listenSni(): Promise<number> {
    return (await this.engine.listen({ name: 'east-west', address: '127.0.0.1', port: 0, kind: 'sni' })).port;
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
