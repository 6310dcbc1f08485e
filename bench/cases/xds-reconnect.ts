import type { BenchCase } from '../bench-case.ts';
import { openBenchAuthority, withFolder } from '../bench-pki.ts';
import { alternate } from '../measure.ts';
import { caseReport } from '../report.ts';
import type { XdsControlUnderTest } from '../xds/contract.ts';
import { XdsSite } from '../xds/site.ts';

const clients = 500;
const patienceMs = 30_000;
const size = { endpoints: 10_000, perService: 100 };

export const xdsReconnect: BenchCase = {
  name: 'xds-reconnect',
  about: `${clients} clients connect at once, with what they had and with nothing, until each has all of its services`,
  run: (bench) =>
    withFolder(async (dir) => {
      const site = await XdsSite.start(await openBenchAuthority(dir), size, clients, 10);
      try {
        await site.fleet.connect(site.control.port, 25);
        const { resumed, anew } = await alternate(
          {
            resumed: () => reconnect(site),
            anew: () => {
              site.fleet.forget();
              return reconnect(site);
            },
          },
          bench.rounds,
        );
        const one = (how: string, what: string, unit: string, ours: typeof anew.wall) =>
          caseReport({ name: `${clients} clients reconnecting ${how}, ${what}`, unit, better: 'less', ours });
        return [
          one('with what they had', 'until all are current', 'ms', resumed.wall),
          one('with what they had', 'control plane', 'CPU ms', resumed.cpu),
          one('with nothing', 'until all are current', 'ms', anew.wall),
          one('with nothing', 'control plane', 'CPU ms', anew.cpu),
        ];
      } finally {
        await site.stop();
      }
    }),
};

/** The clients share one process, whose own work is in the time but not in the CPU. */
async function reconnect({ fleet, control }: XdsSite): Promise<{ wall: number; cpu: number }> {
  fleet.disconnect();
  await allGone(control);
  const before = await control.usage();
  const begun = performance.now();
  await fleet.connect(control.port);
  const wall = performance.now() - begun;
  const after = await control.usage();
  return { wall, cpu: (after.cpuUs - before.cpuUs) / 1e3 };
}

async function allGone(control: XdsControlUnderTest): Promise<void> {
  const end = performance.now() + patienceMs;
  for (;;) {
    const { clients: left } = await control.usage();
    if (left === 0) return;
    if (performance.now() > end) throw new Error(`the control plane still serves ${left} clients ${patienceMs} ms after all have hung up`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
