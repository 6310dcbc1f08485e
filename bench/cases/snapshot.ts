import { callerPolicies } from '../../control/policy/index.ts';
import { createSnapshotBuilder, DialectResources, nativeDialect, noTraffic, type SnapshotInputs } from '../../control/snapshot/index.ts';
import { type ChangedNames, noClaims, type ResourceView } from '../../core/xds/index.ts';
import type { BenchCase } from '../bench-case.ts';
import { BenchMesh } from '../bench-mesh.ts';
import { cluster, trustDomain } from '../bench-pki.ts';
import { network } from '../bench-records.ts';
import { least, most, reportGrowth } from '../growth.ts';
import { costOf } from '../measure.ts';

const changes = 400;
const perService = 10;

export const snapshot: BenchCase = {
  name: 'snapshot',
  about: 'one endpoint changes: new snapshots for agents and gateways, and what changed encoded',
  async run(bench) {
    const [small, large] = await Promise.all([SnapshotBench.start(least), SnapshotBench.start(most)]);
    try {
      return await reportGrowth(
        bench,
        'snapshot of one change',
        () => small.round(),
        () => large.round(),
      );
    } finally {
      await Promise.all([small.stop(), large.stop()]);
    }
  },
};

/** What the control plane does between the catalog and xDS, with a subscriber of each kind. */
class SnapshotBench {
  readonly #mesh: BenchMesh;
  readonly #builder = createSnapshotBuilder();
  readonly #resources = new DialectResources(this.#builder, [nativeDialect]);
  readonly #unsubscribe: (() => void)[] = [];
  #inputs: SnapshotInputs;
  #encoded = 0;

  private constructor(mesh: BenchMesh) {
    this.#mesh = mesh;
    this.#inputs = {
      view: mesh.catalog.current(),
      hostSuffix: 'mesh.internal',
      trust: { trustDomain, roots: [], intermediates: [], deniedSerials: [] },
      policies: callerPolicies({ cluster, trustDomain, exports: [], peers: new Map() }),
      traffic: noTraffic,
      gatewayPorts: [],
      originateCidrs: [],
    };
  }

  static async start(endpoints: number): Promise<SnapshotBench> {
    const bench = new SnapshotBench(await BenchMesh.start({ endpoints, perService }));
    bench.#builder.update(bench.#inputs);
    bench.#resources.publish();
    for (const kind of ['agent', 'gateway'] as const) {
      const identity = { trustDomain: 'bench.mesh', namespace: 'bench', serviceAccount: 'caller' };
      const client = {
        dialect: 'native',
        kind,
        identity,
        cluster: bench.#inputs.view.cluster,
        network,
        locality: '',
        labels: {},
        claims: noClaims,
      } as const;
      bench.#subscribe(bench.#resources.view(client));
    }
    return bench;
  }

  /** CPU µs per change; the catalog's part is done before. */
  async round(): Promise<number> {
    const applied = await this.#mesh.apply(this.#mesh.nextChanges(changes));
    this.#encoded = 0;
    const { cpuUs } = await costOf(() => {
      for (const { service, view } of applied) {
        this.#inputs = { ...this.#inputs, view };
        this.#builder.update(this.#inputs, new Set([service]));
        this.#resources.publish();
      }
    });
    if (this.#encoded < changes) throw new Error(`${changes} changes gave only ${this.#encoded} changed resources`);
    return cpuUs / changes;
  }

  async stop(): Promise<void> {
    for (const undo of this.#unsubscribe.splice(0)) undo();
    await this.#mesh.stop();
  }

  /** Reads what changed as an xDS session would. */
  #subscribe(view: ResourceView): void {
    const read = (changed: readonly ChangedNames[] = []) => {
      const set = view.current();
      for (const { typeUrl, names } of changed) {
        for (const name of names) if (set?.get(typeUrl)?.get(name) !== undefined) this.#encoded += 1;
      }
    };
    this.#unsubscribe.push(view.subscribe(read));
    for (const resources of view.current()?.values() ?? []) for (const _ of resources.values());
  }
}
