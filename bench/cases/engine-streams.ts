import type { BenchCase, BenchRun } from '../bench-case.ts';
import type { ProxyPlan } from '../engines/contract.ts';
import { runSoak } from '../engines/run-soak.ts';
import { type CaseReport, caseReport } from '../report.ts';

interface Plan {
  readonly title: string;
  readonly plan: ProxyPlan;
  /** Connections. */
  readonly quick: number;
  readonly whole: number;
  /** At once, with the node engine: of mTLS no more than it shakes hands with in the 5 s that a hello may take, with CPU to spare. */
  readonly mostOfNode: number;
}

const mostAtOnce = 1_000;

const plans: readonly Plan[] = [
  { title: 'passthrough', plan: { kind: 'passthrough', routes: 16 }, quick: 2_000, whole: 100_000, mostOfNode: mostAtOnce },
  { title: 'mTLS pair', plan: { kind: 'mtls', resume: false }, quick: 500, whole: 20_000, mostOfNode: 200 },
];

/** The same in every run; a connection that fails is said with a seed of its own. */
const seed = 1;
/** Of each engine and plan. */
const mostTold = 3;

/** Not what it costs but that it is right: the one case whose figure should be nought. */
export const engineStreams: BenchCase = {
  name: 'engines-streams',
  about: 'checksummed streams of random sizes, pauses, half-closes, stalls and resets through both engines: connections that went wrong',
  run: async (bench) => {
    if (process.platform !== 'linux') {
      bench.note('The engines take no streams here: their load needs epoll, which only Linux has.');
      return [];
    }
    const reports: CaseReport[] = [];
    for (const engine of ['native', 'node'] as const) {
      for (const each of plans) reports.push(...(await streams(bench, engine, each)));
    }
    return reports;
  },
};

async function streams(
  bench: BenchRun,
  engine: 'native' | 'node',
  { title, plan, quick, whole, mostOfNode }: Plan,
): Promise<readonly CaseReport[]> {
  const connections = bench.quick ? quick : whole;
  const most = engine === 'node' ? mostOfNode : mostAtOnce;
  const counts = await runSoak({ engine, plan, connections, atOnce: Math.min(most, connections / 10), seed });
  if (counts === undefined) {
    bench.note(`${engine}: not built, so it carried no streams: npm run build:native`);
    return [];
  }
  for (const failure of counts.failures.slice(0, mostTold)) bench.note(`${engine}, ${title}: ${failure}`);
  const name = (what: string) => `${connections.toLocaleString('en')} streams, ${title}, ${engine}: ${what}`;
  const none = { text: '0', met: (own: number) => own === 0 };
  const line = (what: string, value: number) =>
    caseReport({ name: name(what), unit: 'connections', better: 'less', ours: { median: value, spread: 0, rounds: [value] }, goal: none });
  return [line('wrong, lost or stalled', counts.failed - counts.truncated), line('a reset seen as an end', counts.truncated)];
}
