import type { LoadBalancer } from '../../core/traffic/index.ts';
import { buildTable, type HashTable } from './hash-table.ts';
import type { Host, Pool } from './plan.ts';

type HashPolicy = Extract<LoadBalancer, { type: 'hash' }>;

interface Known {
  readonly spec: HashPolicy['table'];
  readonly hosts: readonly Host[];
  readonly weights: readonly number[];
  readonly table: HashTable;
}

/** Ejections come and go, and with them the same few sets of hosts. */
const kept = 4;

/** The hash tables of one cluster's pools: one is built when it is first asked for, and again only for other hosts or weights. */
export class PoolTables {
  readonly #ofPool = new WeakMap<Pool, Known>();
  #known: readonly Known[] = [];

  /** `skip`: hosts not wanted. Undefined: none is left. */
  lookup(pool: Pool, { table: spec }: HashPolicy, hash: number, skip: ((host: Host) => boolean) | undefined): Host | undefined {
    const { hosts, table } = this.#tableOf(pool, spec);
    return hosts[table.lookup(hash, skip === undefined ? undefined : (index) => skip(hosts[index] as Host))];
  }

  #tableOf(pool: Pool, spec: HashPolicy['table']): Known {
    const made = this.#ofPool.get(pool);
    if (made !== undefined) return made;
    const { hosts, weights } = sharesOf(pool);
    const same = this.#known.find((known) => isFor(known, spec, hosts, weights));
    const table =
      same?.table ??
      buildTable(
        spec,
        hosts.map(({ key }, i) => ({ key, weight: weights[i] ?? 1 })),
      );
    const known = { spec, hosts, weights, table };
    this.#known = [known, ...this.#known.filter((each) => each !== same)].slice(0, kept);
    this.#ofPool.set(pool, known);
    return known;
  }
}

/** One table for all localities of a priority: each host weighs its part of its locality's share. In a single one nobody's weight depends on the others. */
function sharesOf(pool: Pool): { readonly hosts: readonly Host[]; readonly weights: readonly number[] } {
  const hosts: Host[] = [];
  const weights: number[] = [];
  for (const locality of pool.localities) {
    const alone = pool.localities.length === 1;
    const part = alone ? 1 : locality.weight / locality.hosts.reduce((sum, { weight }) => sum + weight, 0);
    for (const host of locality.hosts) {
      hosts.push(host);
      weights.push(part * host.weight);
    }
  }
  return { hosts, weights };
}

function isFor(known: Known, spec: HashPolicy['table'], hosts: readonly Host[], weights: readonly number[]): boolean {
  if (known.spec !== spec || known.hosts.length !== hosts.length) return false;
  return hosts.every(({ key }, i) => key === known.hosts[i]?.key && weights[i] === known.weights[i]);
}
