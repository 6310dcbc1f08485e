import { ClassSnapshot } from '../../control/snapshot/class-snapshot.ts';
import {
  type ClientClass,
  noTraffic,
  type Resource,
  type Snapshot,
  type SnapshotBuilder,
  type SnapshotInputs,
} from '../../control/snapshot/index.ts';

type Known = Pick<SnapshotInputs, 'hostSuffix' | 'trust'>;

/** Serves an intermediate representation that a test wrote itself, the same to every class. */
export class StaticSnapshots implements SnapshotBuilder {
  readonly #inputs: SnapshotInputs;
  readonly #snapshots = new Map<string, ClassSnapshot>();
  #owners: ReadonlyMap<string, readonly Resource[]> = new Map();

  constructor(known: Known) {
    const view = { cluster: 'east' } as SnapshotInputs['view'];
    this.#inputs = { ...known, view, policies: [], traffic: noTraffic, gatewayPorts: [], originateCidrs: [] };
  }

  /** By owner: a service's key, or `mesh`. */
  set(owners: Readonly<Record<string, readonly Resource[]>>): this {
    this.#owners = new Map(Object.entries(owners));
    for (const each of this.#snapshots.values()) this.#fill(each);
    return this;
  }

  update(): void {}

  release(): void {}

  inputs(): SnapshotInputs {
    return this.#inputs;
  }

  faults(): ReturnType<SnapshotBuilder['faults']> {
    return new Map();
  }

  snapshot(client: ClientClass): Snapshot {
    const id = JSON.stringify(client);
    const known = this.#snapshots.get(id) ?? this.#fill(new ClassSnapshot(client));
    this.#snapshots.set(id, known);
    return known.snapshot();
  }

  #fill(snapshot: ClassSnapshot): ClassSnapshot {
    const gone = [...snapshot.owners()].map((owner) => [owner, []] as const);
    snapshot.replace(new Map([...gone, ...this.#owners]));
    return snapshot;
  }
}
