import type { BenchCase, BenchRun } from '../bench-case.ts';
import { alternate, type Figure } from '../measure.ts';
import { type CaseReport, caseReport } from '../report.ts';
import type { ContenderName, ProxyPlan } from './contract.ts';
import { type Load, runRound, type Seen } from './round.ts';
import { type Contender, withContenders } from './site.ts';

const rounds = 5;
/** CPU is read to a hundredth of a second: a round lasts long enough for that not to matter. */
const roundsFactor = 2;

/** One figure of a case that is reported. */
export interface Wanted {
  readonly seen: Seen;
  /** As tables name it: `CPU`, `p99`. */
  readonly name: string;
  readonly unit: string;
  /** What one unit of it is; figures are divided by it. Default 1. */
  readonly scale?: number;
  readonly better?: 'more' | 'less';
  /** For the native engine: at most so many times each of these. */
  readonly atMost?: Partial<Readonly<Record<ContenderName, number>>>;
  /** For the native engine: no worse than whoever is best. */
  readonly asBest?: true;
  /** For the native engine, whatever others take. */
  readonly atMostItself?: number;
  /** Has a panel of its own in the plot. */
  readonly plotted?: true;
}

export interface EngineCase {
  readonly name: string;
  readonly about: string;
  /** As tables begin their lines. */
  readonly title: string;
  readonly plan: ProxyPlan;
  readonly load: Load;
  readonly wanted: readonly Wanted[];
}

type Figures = ReadonlyMap<ContenderName, Readonly<Record<Seen, Figure>>>;
const ours: readonly ContenderName[] = ['native', 'node'];

export function engineCase(spec: EngineCase): BenchCase {
  return { name: spec.name, about: spec.about, run: (bench) => measured(bench, spec) };
}

async function measured(bench: BenchRun, spec: EngineCase): Promise<readonly CaseReport[]> {
  if (process.platform !== 'linux') {
    bench.note('The engines are not measured: the CPU of another process is read from /proc, which only Linux has.');
    return [];
  }
  return withContenders(spec.plan, bench.note, async (contenders) => {
    const figures = await figuresOf(contenders, spec, bench.roundMs * roundsFactor);
    for (const wanted of spec.wanted) if (wanted.plotted === true) bench.chart(panelOf(spec, wanted, figures));
    return reportsOf(spec, figures);
  });
}

/** All of them in turn, so that what the machine does besides disturbs them alike. */
async function figuresOf(
  contenders: readonly Contender[],
  { plan, load }: Pick<EngineCase, 'plan' | 'load'>,
  ms: number,
): Promise<Figures> {
  const round = (contender: Contender) => async () => {
    try {
      return await runRound(contender, plan, load, ms);
    } catch (error) {
      throw new Error(`${contender.name}: ${(error as Error).message}`, { cause: error });
    }
  };
  const seen = await alternate(Object.fromEntries(contenders.map((each) => [each.name, round(each)])), rounds);
  return new Map(Object.entries(seen) as [ContenderName, Readonly<Record<Seen, Figure>>][]);
}

/** For each engine of ours and each figure a line beside each peer. */
function reportsOf({ title, wanted }: EngineCase, figures: Figures): readonly CaseReport[] {
  const peers = [...figures].filter(([name]) => !ours.includes(name));
  return ours.flatMap((engine) => {
    const own = figures.get(engine);
    if (own === undefined) return [];
    return wanted.flatMap((each) => {
      const line = {
        name: `${title}, ${engine}: ${each.name}`,
        unit: each.unit,
        better: each.better ?? 'less',
        ours: scaled(own[each.seen], each),
      };
      if (peers.length === 0) return [caseReport(line)];
      const best = bestOf(
        peers.map(([name, theirs]) => [name, theirs[each.seen].median]),
        each,
      );
      return peers.map(([name, theirs]) => {
        const goal = engine === 'native' ? goalOf(each, name, best) : undefined;
        return caseReport({ ...line, peer: { name, figure: scaled(theirs[each.seen], each) }, ...(goal === undefined ? {} : { goal }) });
      });
    });
  });
}

function bestOf(medians: readonly (readonly [ContenderName, number])[], { better = 'less' }: Wanted): ContenderName | undefined {
  const sorted = [...medians].sort(([, a], [, b]) => (better === 'less' ? a - b : b - a));
  return sorted[0]?.[0];
}

/** Goals are of what ours takes as a multiple of theirs; a report's ratio is the other way round where less is better. */
function goalOf({ atMost, asBest, atMostItself, unit }: Wanted, peer: ContenderName, best: ContenderName | undefined) {
  const times = atMost?.[peer];
  if (times !== undefined) return { text: `<= ${times}x ${peer}`, met: (_: number, ratio: number) => 1 / ratio <= times };
  if (asBest === true && peer === best) return { text: '<= 1x the best peer', met: (_: number, ratio: number) => 1 / ratio <= 1 };
  if (atMostItself !== undefined && peer === best) return { text: `<= ${atMostItself} ${unit}`, met: (own: number) => own <= atMostItself };
  return undefined;
}

function panelOf({ title }: EngineCase, wanted: Wanted, figures: Figures) {
  const bars = [...figures].map(([label, all]) => ({ label, value: scaled(all[wanted.seen], wanted).median }));
  return { title: `${title}: ${wanted.name}`, unit: wanted.unit, bars };
}

function scaled(figure: Figure, { scale = 1 }: Wanted): Figure {
  const rounds = figure.rounds.map((value) => value / scale);
  return { median: figure.median / scale, spread: figure.spread, rounds };
}
