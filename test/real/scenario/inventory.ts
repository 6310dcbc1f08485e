import { until } from '../../support/until.ts';
import type { Topology } from './topology.ts';

/** Endpoints that each cluster knows, by service; for comparing before and after. */
export async function inventoryOf(t: Topology): Promise<Record<string, string[]>> {
  const [east, west] = await Promise.all([t.east.control.status(), t.west.control.status()]);
  const of = (status: typeof east) =>
    status.services
      .map(
        (s) =>
          `${s.namespace}/${s.name} ${s.endpoints
            .map((e) => `${e.cluster}:${e.source}=${e.healthy}`)
            .sort()
            .join()}`,
      )
      .sort();
  return { east: of(east), west: of(west) };
}

export async function settled(t: Topology): Promise<void> {
  await until(
    'both clusters know everything, healthy',
    async () => {
      const { east, west } = await inventoryOf(t);
      for (const [name, place] of [
        ['catalog', 'east:consul/dc=2'],
        ['orders', 'east:vm/agents=2'],
        ['payments', 'west:kubernetes/prod=2'],
        ['inventory', 'west:nomad/jobs=2'],
      ] as const) {
        for (const [site, list] of [
          ['east', east],
          ['west', west],
        ] as const) {
          if (!list?.some((line) => line.startsWith(`shop/${name} `) && line.includes(place)))
            throw new Error(`${site} lacks ${name} ${place}: ${list?.join('; ')}`);
        }
      }
      return true;
    },
    60_000,
  );
}
