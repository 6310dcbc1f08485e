import { join } from 'node:path';
import { openEmbeddedStore } from '../../control/store/index.ts';
import type { Store } from '../../core/store.ts';
import { systemClock } from '../../core/system-clock.ts';
import type { BenchCase } from '../bench-case.ts';
import { withFolder } from '../bench-pki.ts';
import { alternate } from '../measure.ts';
import { caseReport } from '../report.ts';

const value = Buffer.alloc(256, 7);

export const store: BenchCase = {
  name: 'store',
  about: 'transactions of the embedded store, each synced to disk before it counts',
  run: (bench) =>
    withFolder(async (dir) => {
      const opened = await openEmbeddedStore({ dir: join(dir, 'store'), clock: systemClock });
      try {
        const round = (writers: number) => async () => ({ txns: await transactionsPerSecond(opened, writers, bench.roundMs) });
        const figures = await alternate({ one: round(1), many: round(64) }, bench.rounds);
        const report = (writers: string, ours: typeof figures.one.txns) =>
          caseReport({ name: `synced transactions, ${writers}`, unit: '/s', better: 'more', ours });
        return [report('1 writer', figures.one.txns), report('64 writers', figures.many.txns)];
      } finally {
        await opened.close();
      }
    }),
};

/** Each writer waits for one before it begins the next. By the clock: the disk is most of it. */
async function transactionsPerSecond(opened: Store, writers: number, budgetMs: number): Promise<number> {
  const begun = performance.now();
  let done = 0;
  const writer = async (name: string) => {
    for (let i = 0; performance.now() - begun < budgetMs; i++) {
      const { succeeded } = await opened.txn({ if: [], then: [{ op: 'put', key: `bench/${name}/${i % 100}`, value }] });
      if (!succeeded) throw new Error('a transaction without conditions did not succeed');
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, i) => writer(`writer-${i}`)));
  return (done / (performance.now() - begun)) * 1e3;
}
