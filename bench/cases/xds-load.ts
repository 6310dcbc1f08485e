import type { BenchCase, BenchRun } from '../bench-case.ts';
import { alternate } from '../measure.ts';
import { type CaseReport, caseReport } from '../report.ts';
import { type FullLoad, loadedClients, measureFullLoad } from '../xds/full-load.ts';

const size = { endpoints: 100_000, perService: 100 };
const largestBytes = 1_000;
const longestMs = 2_000;

export const xdsLoad: BenchCase = {
  name: 'xds-load',
  about: `${size.endpoints.toLocaleString('en')} endpoints: the first full snapshot, encoded, and memory with every dialect in use`,
  run: measured,
};

async function measured(bench: BenchRun): Promise<readonly CaseReport[]> {
  const { ours } = await alternate({ ours: async () => figuresOf(await measureFullLoad(size)) }, bench.rounds);
  const served = loadedClients.slice(1).filter((who) => Number.isFinite(ours[who]?.median));
  const perEndpoint = (name: string, key: string) =>
    caseReport({ name: `memory per endpoint, ${name}`, unit: 'bytes', better: 'less', ours: ours[key] ?? none });
  const missing = loadedClients.slice(1).filter((who) => !served.includes(who));
  if (missing.length > 0) bench.note(`Not in the memory per endpoint, as this version does not serve them: ${missing.join(', ')}.`);
  return [
    caseReport({
      name: 'first full snapshot, 100,000 endpoints',
      unit: 'ms',
      better: 'less',
      ours: ours['wall'] ?? none,
      goal: { text: `< ${longestMs} ms`, met: (ms) => ms < longestMs },
    }),
    caseReport({ name: 'first full snapshot, all threads', unit: 'CPU ms', better: 'less', ours: ours['cpu'] ?? none }),
    perEndpoint('catalog and native agents', 'base'),
    ...served.map((who) => perEndpoint(`added by ${who}s`, who)),
    caseReport({
      name: 'memory per endpoint, all of it',
      unit: 'bytes',
      better: 'less',
      ours: ours['all'] ?? none,
      goal: { text: `≤ ${largestBytes} bytes`, met: (bytes) => bytes <= largestBytes },
    }),
  ];
}

const none = { median: Number.NaN, spread: Number.NaN, rounds: [] };

function figuresOf({ wallMs, cpuMs, catalogBytes, added }: FullLoad): Record<string, number> {
  const each = Object.entries(added).map(([who, bytes]) => [who, bytes / size.endpoints] as const);
  const base = catalogBytes / size.endpoints;
  return { wall: wallMs, cpu: cpuMs, base, ...Object.fromEntries(each), all: each.reduce((sum, [, bytes]) => sum + bytes, base) };
}
