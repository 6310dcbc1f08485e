import { Snapshots } from '../../control/assemble/snapshots.ts';
import { callerPolicies } from '../../control/policy/index.ts';
import { noTraffic } from '../../control/snapshot/index.ts';
import type { RegistryEvent } from '../../core/registry/index.ts';
import { BenchMesh, type BenchSize } from '../bench-mesh.ts';
import { cluster, trustDomain } from '../bench-pki.ts';

/** Catalog and snapshots joined as a control plane joins them; what is above, the registry, and below, xDS, is the caller's. */
export class BenchControl {
  readonly mesh: BenchMesh;
  readonly snapshots: Snapshots;
  readonly #stop = new AbortController();
  readonly #following: Promise<void>;

  private constructor(mesh: BenchMesh) {
    this.mesh = mesh;
    this.snapshots = new Snapshots({
      view: mesh.catalog.current(),
      hostSuffix: 'mesh.internal',
      trust: { trustDomain, roots: [], intermediates: [], deniedSerials: [] },
      policies: callerPolicies({ cluster, trustDomain, exports: [], peers: new Map() }),
      traffic: noTraffic,
      gatewayPorts: [],
      originateCidrs: [],
    });
    this.#following = this.snapshots.follow(mesh.catalog, this.#stop.signal);
  }

  /** With a catalog that is still empty. */
  static async idle(size: BenchSize): Promise<BenchControl> {
    return new BenchControl(await BenchMesh.idle(size));
  }

  /** Until the snapshots hold it. */
  async load(snapshot: RegistryEvent): Promise<void> {
    await this.mesh.load(snapshot);
    await this.snapshots.first;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#following.catch(() => undefined);
    await this.mesh.stop();
  }
}
