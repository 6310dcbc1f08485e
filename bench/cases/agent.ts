import { AgentSite, residentBytes, residentBytesOfChildren } from '../agent/agent-site.ts';
import type { BenchCase } from '../bench-case.ts';
import { withFolder } from '../bench-pki.ts';
import { cpuSecondsOf } from '../data-plane/process-cpu.ts';
import { figureOf } from '../measure.ts';
import { caseReport } from '../report.ts';

const services = 1_000;
const patienceMs = 60_000;

/** An agent gives back what its start took when it has run for 15 s, and so does its supervisor: what they keep is seen after that. */
const settledMs = 17_000;
const restMs = { quick: 5_000, whole: 30_000 };

export const agent: BenchCase = {
  name: 'agent',
  about: `the agent of the packages, which knows ${services} services: memory and CPU at rest, and its start from disk`,
  run: (bench) =>
    withFolder(async (dir) => {
      const site = await AgentSite.start(dir, services);
      const rest = bench.roundMs < 1_000 ? restMs.quick : restMs.whole;
      try {
        const first = await site.agent();
        await until(async () => (await site.known(first)) >= services);
        await sleep(settledMs);
        const cpu: number[] = [];
        const memory: number[] = [];
        for (let round = 0; round < 5; round++) {
          const before = await cpuSecondsOf(first.pid);
          await sleep(rest / 5);
          cpu.push((((await cpuSecondsOf(first.pid)) - before) / (rest / 5)) * 1e6);
          memory.push((await residentBytes(first.pid)) / 1e6);
        }
        await first.stop();
        const supervised = await site.agent('--supervise');
        await until(async () => (await site.known(supervised)) >= services);
        await sleep(settledMs);
        const both: number[] = [];
        for (let round = 0; round < 5; round++) {
          await sleep(rest / 5);
          both.push(((await residentBytes(supervised.pid)) + (await residentBytesOfChildren(supervised.pid))) / 1e6);
        }
        await supervised.stop();
        await site.stopControl();
        const starts: number[] = [];
        for (let round = 0; round < bench.rounds; round++) {
          const started = await site.agent();
          starts.push(started.startMs);
          if ((await site.known(started)) < services) throw new Error('it serves less than what was on disk');
          await started.stop();
        }
        const goal = (text: string, limit: number) => ({ goal: { text, met: (ours: number) => ours <= limit } });
        const one = (name: string, unit: string, rounds: readonly number[], more = {}) =>
          caseReport({ name: `agent with ${services} services, ${name}`, unit, better: 'less', ours: figureOf(rounds), ...more });
        return [
          one('resident at rest', 'MB', memory, goal('≤ 90 MB', 90)),
          one('resident at rest, with its supervisor', 'MB', both),
          one('CPU at rest', 'ms/s', cpu),
          one('started again without a control plane, until it serves', 'ms', starts, goal('≤ 500 ms', 500)),
        ];
      } finally {
        await site.stop();
      }
    }),
};

async function until(held: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + patienceMs;
  while (!(await held())) {
    if (performance.now() > end) throw new Error(`the agent does not know ${services} services after ${patienceMs} ms`);
    await sleep(100);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
