import { verifySvid } from '../../core/identity/index.ts';
import { clusterSan, formatSpiffeId } from '../../core/model/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import type { BenchCase } from '../bench-case.ts';
import { cluster, issue, openBenchAuthority, trustDomain, withFolder } from '../bench-pki.ts';
import { alternate, perCpuSecond } from '../measure.ts';
import { caseReport } from '../report.ts';

/** Many, so that nothing that is kept of one certificate helps with the next. */
const peers = 512;

export const verify: BenchCase = {
  name: 'verify',
  about: "a peer's chain verified against bundle, SPIFFE id and cluster",
  run: (bench) =>
    withFolder(async (dir) => {
      const authority = await openBenchAuthority(dir);
      const bundle = authority.bundle();
      const svids = Array.from({ length: peers }, (_, i) => issue(authority, 'shop', `account-${i}`));
      const all = svids.map(({ chainDer, spiffeId }) => ({ chainDer, uriSans: [formatSpiffeId(spiffeId)] }));
      const expected = clusterSan(cluster, trustDomain);
      const verifyAll = () => {
        for (const { chainDer, uriSans } of all) {
          const verdict = verifySvid(chainDer, bundle, systemClock.now(), { uriSans, clusterSan: expected });
          if (!verdict.ok) throw new Error(verdict.reason);
        }
        return all.length;
      };
      const figures = await alternate({ ours: async () => ({ verified: await perCpuSecond(bench.roundMs, verifyAll) }) }, bench.rounds);
      return [caseReport({ name: 'peers verified', unit: '/CPU-s', better: 'more', ours: figures.ours.verified })];
    }),
};
