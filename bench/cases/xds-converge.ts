import type { BenchCase, BenchRun } from '../bench-case.ts';
import { withFolder } from '../bench-pki.ts';
import { findEnvoy } from '../data-plane/start-envoy.ts';
import { type Figure, figureOf, quantile } from '../measure.ts';
import { type CaseReport, caseReport } from '../report.ts';
import { BenchConsul, findConsul } from '../xds/converge-consul.ts';
import type { Contender } from '../xds/converge-envoy.ts';
import { startIsthmus } from '../xds/converge-isthmus.ts';
import { type Stop, waitFor } from '../xds/converge-process.ts';

/** Endpoints that stay. */
const standing = 10;
const firstPort = 20_000;

export const xdsConverge: BenchCase = {
  name: 'xds-converge',
  about: "from a change in a real Consul to an Envoy that has it, by our control plane and by Consul's own xDS",
  run: async (bench) => {
    const [consul, envoy] = [await findConsul(), await findEnvoy()];
    if (consul === undefined || envoy === undefined) {
      bench.note(
        'Nothing to converge: no Consul or no Envoy found; name them in ISTHMUS_CONSUL and ISTHMUS_ENVOY, or run npm run servers.',
      );
      return [];
    }
    return withFolder((dir) => measure(bench, consul, envoy, dir));
  },
};

async function measure(bench: BenchRun, consulBinary: string, envoy: string, dir: string): Promise<CaseReport[]> {
  const stops: Stop[] = [];
  try {
    const consul = await BenchConsul.start(consulBinary, dir);
    stops.push(consul.stop);
    for (const service of ['ours', 'theirs']) for (let i = 0; i < standing; i++) await consul.add(service, firstPort + i);
    const theirs = await consul.startEnvoy(envoy, dir, 'theirs');
    stops.push(theirs.stop);
    const ours = await startIsthmus({ envoy, dir, consulUrl: consul.url, service: 'ours', port: firstPort });
    stops.push(ours.stop);
    for (const each of [ours, theirs]) await waitFor('the first endpoints', async () => (await each.seen(firstPort, true)) > 0);
    return await inTurns(bench, consul, { ours, theirs });
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

type Side = 'ours' | 'theirs';
type Change = 'add' | 'remove';

async function inTurns(bench: BenchRun, consul: BenchConsul, sides: Readonly<Record<Side, Contender>>): Promise<CaseReport[]> {
  const rounds = bench.roundMs < 1_000 ? 20 : 100;
  const seen: Record<Side, Record<Change, number[]>> = { ours: { add: [], remove: [] }, theirs: { add: [], remove: [] } };
  const answers: Record<Side, number[]> = { ours: [], theirs: [] };
  for (let i = -1; i < rounds; i++) {
    const port = firstPort + standing + i + 1;
    for (const change of ['add', 'remove'] as const) {
      for (const side of ['ours', 'theirs'] as const) {
        const { answerMs, envoyMs } = await converge(consul, sides[side], side, change, port);
        // The first round warms up.
        if (i < 0) continue;
        seen[side][change].push(envoyMs);
        answers[side].push(answerMs);
      }
    }
  }
  if (rounds < 100) bench.note(`xds-converge: p99 is of ${rounds} changes, which is nearly their maximum.`);
  const [our, their] = [answers.ours, answers.theirs].map((each) => figureOf(each).median.toFixed(1));
  bench.note(
    `xds-converge: Consul's own answer to a change, not counted above, took ${our} ms (ours) and ${their} ms (theirs) at the median.`,
  );
  return (['add', 'remove'] as const).flatMap((change) => report(change, seen.ours[change], seen.theirs[change]));
}

/** Envoy is watched from before the change is asked for, so it may be seen before Consul's answer is: that counts as 0 ms. */
async function converge(consul: BenchConsul, envoy: Contender, service: Side, change: Change, port: number) {
  const seen = envoy.seen(port, change === 'add');
  seen.catch(() => undefined);
  const asked = performance.now();
  await consul[change](service, port);
  const answered = performance.now();
  return { answerMs: answered - asked, envoyMs: Math.max(0, (await seen) - answered) };
}

function report(change: Change, ours: readonly number[], theirs: readonly number[]): CaseReport[] {
  const one = (name: string, q: number, least: number) =>
    caseReport({
      name: `Consul to Envoy, ${change === 'add' ? 'instance added' : 'instance removed'}, ${name}`,
      unit: 'ms',
      better: 'less',
      ours: at(ours, q),
      peer: { name: "Consul's xDS", figure: at(theirs, q) },
      goal: { text: `at most ${1 / least} of theirs`, met: (_, ratio) => ratio >= least },
    });
  return [one('p50', 0.5, 10), one('p99', 0.99, 5)];
}

/** The figure whose median is that quantile of the changes; its spread is that of all of them. */
function at(values: readonly number[], q: number): Figure {
  const median = quantile(
    [...values].sort((a, b) => a - b),
    q,
  );
  return { ...figureOf(values), median };
}
