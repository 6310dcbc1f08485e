import { join } from 'node:path';
import { systemClock } from '../../core/system-clock.ts';
import type { BenchCase, BenchRun } from '../bench-case.ts';
import { withFolder } from '../bench-pki.ts';
import { Fleet } from '../ca/fleet.ts';
import { startCaControl } from '../ca/start-control.ts';
import { figureOf } from '../measure.ts';
import { type CaseReport, caseReport } from '../report.ts';

const goalBytes = 150 * 1024;
const goalBackMs = 90_000;

export const caAgents: BenchCase = {
  name: 'ca-agents',
  about: '10,000 agents held by one control plane over gRPC (--quick: 500): memory, CPU, and the way back after it was killed',
  run: (bench) => withFolder((dir) => agents(dir, bench)),
};

/** What is there before the first of those that count: code that has run, pools that have grown. */
const warmUp = 50;

async function agents(dir: string, bench: BenchRun): Promise<readonly CaseReport[]> {
  const many = bench.roundMs < 1_000 ? 500 : 10_000;
  const steadyMs = bench.roundMs * 10;
  const fleet = new Fleet();
  let control = await startCaControl({ dir: join(dir, 'control'), agents: many, port: 0 });
  try {
    const { port } = control;
    await fleet.join(warmUp, control.token, port);
    const before = await control.usage();
    const begun = performance.now();
    await fleet.join(many - warmUp, control.token, port);
    const joinedMs = Math.round(performance.now() - begun);
    await systemClock.sleep(steadyMs);
    const held = await control.usage();
    bench.note(
      `${many} agents had joined after ${joinedMs} ms, for ${Math.round((held.cpuUs - before.cpuUs) / 1_000)} CPU ms of the control plane; ${held.registered} are registered.`,
    );
    await systemClock.sleep(steadyMs);
    const later = await control.usage();
    await control.kill();
    const killed = performance.now();
    const ownBefore = process.cpuUsage();
    control = await startCaControl({ dir: join(dir, 'control'), agents: 1, port: control.port });
    await fleet.backAndRenewed();
    const backMs = performance.now() - killed;
    bench.note(`Connections lost on the way: ${JSON.stringify(fleet.losses())}.`);
    const back = await control.cost();
    const own = process.cpuUsage(ownBefore);
    const one = (name: string, unit: string, value: number, goal?: { text: string; met: (ours: number) => boolean }) =>
      caseReport({ name, unit, better: 'less', ours: figureOf([value]), ...(goal === undefined ? {} : { goal }) });
    return [
      one(`memory per agent, ${many} agents`, 'bytes', (held.rssBytes - before.rssBytes) / (many - warmUp), {
        text: `≤ ${goalBytes.toLocaleString('en')} bytes`,
        met: (bytes) => bytes <= goalBytes,
      }),
      one('of that, in the heap of V8', 'bytes', (held.heapBytes - before.heapBytes) / (many - warmUp)),
      one(`heartbeats of ${many} agents`, 'CPU ms/s', (later.cpuUs - held.cpuUs) / steadyMs),
      one(`all ${many} back and renewed after a kill`, 'ms', backMs, { text: `< ${goalBackMs} ms`, met: (ms) => ms < goalBackMs }),
      one('that way back, control plane', 'CPU ms', back.cpuUs / 1_000),
      one('that way back, the agents', 'CPU ms', (own.user + own.system) / 1_000),
    ];
  } finally {
    fleet.stop();
    await control.stop();
  }
}
