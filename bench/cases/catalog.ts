import type { BenchCase } from '../bench-case.ts';
import { BenchMesh } from '../bench-mesh.ts';
import { least, most, reportGrowth } from '../growth.ts';
import { costOf } from '../measure.ts';

const changes = 400;
const perService = 10;

export const catalog: BenchCase = {
  name: 'catalog',
  about: 'one upsert from a registry: merged, the view after it, and its record for the store',
  async run(bench) {
    const [small, large] = await Promise.all([
      BenchMesh.start({ endpoints: least, perService }),
      BenchMesh.start({ endpoints: most, perService }),
    ]);
    const round = async (mesh: BenchMesh) => {
      const next = mesh.nextChanges(changes);
      const { cpuUs } = await costOf(async () => {
        await mesh.apply(next);
      });
      return cpuUs / changes;
    };
    try {
      return await reportGrowth(
        bench,
        'catalog upsert',
        () => round(small),
        () => round(large),
      );
    } finally {
      await Promise.all([small.stop(), large.stop()]);
    }
  },
};
