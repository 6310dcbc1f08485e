import type { BenchCase, BenchRun } from '../bench-case.ts';
import { alternate } from '../measure.ts';
import type { CaseReport } from '../report.ts';
import type { ContenderName } from './contract.ts';
import { allPeers, bothOurs, type EngineCase, type Figured, type Figures } from './engine-contract.ts';
import { besideLabel, reportsOf } from './engine-reports.ts';
import type { Memory } from './idle-memory.ts';
import { type Load, restOf, runRound } from './round.ts';
import { type Contender, type Entry, withContenders } from './site.ts';
import { hasResult, scaled, type Wanted } from './wanted.ts';

const rounds = 5;
/** CPU is read to a hundredth of a second: a round lasts long enough for that not to matter. */
const roundsFactor = 2;

export function engineCase(spec: EngineCase): BenchCase {
  return { name: spec.name, about: spec.about, run: (bench) => measured(bench, spec) };
}

async function measured(bench: BenchRun, spec: EngineCase): Promise<readonly CaseReport[]> {
  if (process.platform !== 'linux') {
    bench.note('The engines are not measured: the CPU of another process is read from /proc, which only Linux has.');
    return [];
  }
  return withContenders(entriesOf(spec), bench.note, async (contenders) => {
    const figures = await figuresOf(contenders, spec.load, bench.roundMs * roundsFactor);
    for (const wanted of spec.wanted) if (wanted.plotted === true) bench.chart(panelOf(spec, wanted, figures));
    return reportsOf(spec, figures);
  });
}

/** In the order of tables and plots. */
function entriesOf({ plan, beside, ours = bothOurs, peers = allPeers }: EngineCase): readonly Entry[] {
  const other = (name: ContenderName) => (beside === undefined ? [] : [{ name, plan: beside.plan, label: besideLabel(name, beside) }]);
  return [...ours.flatMap((name) => [{ name, plan }, ...other(name)]), ...peers.map((name) => ({ name, plan }))];
}

/** All of them in turn, so that what the machine does besides disturbs them alike. */
async function figuresOf(contenders: readonly Contender[], load: Load, ms: number): Promise<Figures> {
  const rests = new Map<Contender, Memory | undefined>();
  const round = (contender: Contender) => async () => {
    try {
      const rest = rests.get(contender) ?? (await restOf(contender, load));
      rests.set(contender, rest);
      return await runRound(contender, load, ms, rest);
    } catch (error) {
      throw new Error(`${contender.label}: ${(error as Error).message}`, { cause: error });
    }
  };
  const seen = await alternate(Object.fromEntries(contenders.map((each) => [each.label, round(each)])), rounds);
  return new Map(Object.entries(seen) as [string, Figured][]);
}

function panelOf({ title }: EngineCase, wanted: Wanted, figures: Figures) {
  const measured = [...figures].filter(([, all]) => hasResult(all[wanted.seen]));
  const bars = measured.map(([label, all]) => ({ label, value: scaled(all[wanted.seen], wanted).median }));
  return { title: `${title}: ${wanted.name}`, unit: wanted.unit, bars };
}
