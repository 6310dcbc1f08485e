import { type CaseReport, caseReport } from '../report.ts';
import type { ContenderName } from './contract.ts';
import { allPeers, bothOurs, type EngineCase, type Figured, type Figures } from './engine-contract.ts';
import { hasResult, scaled, type Wanted } from './wanted.ts';

/** How the other plan of an engine of ours is called. */
export function besideLabel(engine: ContenderName, { label }: NonNullable<EngineCase['beside']>): string {
  return `${engine} ${label}`;
}

/** For each engine of ours and each figure a line beside each peer. */
export function reportsOf(spec: EngineCase, figures: Figures): readonly CaseReport[] {
  const peers = allPeers.flatMap((name) => measuredAs(name, figures));
  return (spec.ours ?? bothOurs).flatMap((engine) => {
    const own = figures.get(engine);
    if (own === undefined) return [];
    const itself = spec.beside === undefined ? [] : measuredAs(besideLabel(engine, spec.beside), figures);
    const wanted = spec.wanted.filter(({ seen }) => hasResult(own[seen]));
    return wanted.flatMap((each) => {
      const measured = ([, theirs]: Measured) => hasResult(theirs[each.seen]);
      return linesOf(spec, engine, own, each, itself.filter(measured), peers.filter(measured));
    });
  });
}

function linesOf(
  spec: EngineCase,
  engine: ContenderName,
  own: Figured,
  wanted: Wanted,
  itself: readonly Measured[],
  peers: readonly Measured[],
): readonly CaseReport[] {
  const name = `${spec.title}, ${engine}: ${wanted.name}`;
  const line = { name, unit: wanted.unit, better: wanted.better ?? 'less', ours: scaled(own[wanted.seen], wanted) };
  const best = bestOf(peers, wanted);
  const against = [...itself, ...peers];
  const itselfOnly = wanted.atMostItself;
  if (against.length === 0) {
    const goal =
      itselfOnly === undefined ? undefined : { text: `<= ${itselfOnly} ${wanted.unit}`, met: (own: number) => own <= itselfOnly };
    return [caseReport({ ...line, ...(goal === undefined ? {} : { goal }) })];
  }
  return against.map(([peer, theirs]) => {
    const goal = engine === (spec.ours ?? bothOurs)[0] ? goalOf(spec, wanted, peer, best) : undefined;
    return caseReport({
      ...line,
      peer: { name: peer, figure: scaled(theirs[wanted.seen], wanted) },
      ...(goal === undefined ? {} : { goal }),
    });
  });
}

type Measured = readonly [string, Figured];

function measuredAs(label: string, figures: Figures): readonly Measured[] {
  const seen = figures.get(label);
  return seen === undefined ? [] : [[label, seen]];
}

function bestOf(peers: readonly Measured[], { seen, better = 'less' }: Wanted): string | undefined {
  const sorted = [...peers].sort(([, a], [, b]) => (better === 'less' ? 1 : -1) * (a[seen].median - b[seen].median));
  return sorted[0]?.[0];
}

/** Goals are of what ours takes as a multiple of theirs; a report's ratio is the other way round where less is better. */
function goalOf({ beside }: EngineCase, wanted: Wanted, peer: string, best: string | undefined) {
  const { atMost = {}, asBest, atMostItself, unit } = wanted;
  const multiple = (times: number, whom: string) => ({
    text: `<= ${times}x ${whom}`,
    met: (_: number, ratio: number) => 1 / ratio <= times,
  });
  const times = new Map<string, number>(Object.entries(atMost)).get(peer);
  if (times !== undefined) return multiple(times, peer);
  if (beside !== undefined && wanted.seen === 'cpu' && peer === besideLabel('native', beside)) return multiple(beside.atMost, beside.label);
  if (asBest === true && peer === best) return multiple(1, 'the best peer');
  if (atMostItself !== undefined && peer === best) return { text: `<= ${atMostItself} ${unit}`, met: (own: number) => own <= atMostItself };
  return undefined;
}
