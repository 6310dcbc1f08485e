import type { ConnectionOptions } from 'node:tls';
import type { BenchCase, BenchRun } from '../bench-case.ts';
import type { GatewayUnderTest } from '../data-plane/contract.ts';
import { closedLoop, openAll, wholeResponse } from '../data-plane/load.ts';
import { cpuSecondsOf } from '../data-plane/process-cpu.ts';
import { type DataPlaneSite, withDataPlanes } from '../data-plane/site.ts';
import { alternate, type Figure } from '../measure.ts';
import { type CaseReport, caseReport } from '../report.ts';

const connections = 16;
const echoBytes = 64;
/** CPU is read to a hundredth of a second: a round lasts long enough for that not to matter. */
const roundsFactor = 4;

interface Load {
  readonly connections: number;
  readonly tls: ConnectionOptions;
  readonly question: Buffer;
  readonly answered: (received: Buffer) => boolean;
}

export const gatewayHttp: BenchCase = {
  name: 'gateway-http',
  about: `mTLS in, plain HTTP out: ${connections} connections, replies of 1 KiB, beside Envoy`,
  run: (bench) =>
    measured(bench, async (site) => {
      const question = Buffer.from(`GET /orders HTTP/1.1\r\nhost: ${site.host}\r\n\r\n`);
      const figures = await beside(bench, site, { connections, tls: site.terminate, question, answered: wholeResponse });
      return [
        report('gateway HTTP requests', '/CPU-s', 'more', figures, 'perCpuSecond'),
        report(`gateway HTTP p50, ${connections} connections`, 'µs', 'less', figures, 'p50'),
        report(`gateway HTTP p99, ${connections} connections`, 'µs', 'less', figures, 'p99'),
      ];
    }),
};

export const gatewayPassthrough: BenchCase = {
  name: 'gateway-passthrough',
  about: `mTLS passed on by SNI: echoes of ${echoBytes} bytes on one connection, beside Envoy`,
  run: (bench) =>
    measured(bench, async (site) => {
      const question = Buffer.alloc(echoBytes, 1);
      const answered = (received: Buffer) => received.length >= echoBytes;
      const figures = await beside(bench, site, { connections: 1, tls: site.passthrough, question, answered });
      return [
        report('gateway passthrough echo, p50', 'µs', 'less', figures, 'p50'),
        report('gateway passthrough echoes', '/CPU-s', 'more', figures, 'perCpuSecond'),
      ];
    }),
};

type Seen = 'perCpuSecond' | 'p50' | 'p99';
type Figures = Readonly<Record<Seen, Figure>>;

function report(
  name: string,
  unit: string,
  better: 'more' | 'less',
  figures: { ours: Figures; theirs: Figures | undefined },
  key: Seen,
): CaseReport {
  const peer = figures.theirs === undefined ? undefined : { name: 'Envoy', figure: figures.theirs[key] };
  return caseReport({ name, unit, better, ours: figures.ours[key], peer });
}

async function measured(bench: BenchRun, work: (site: DataPlaneSite) => Promise<readonly CaseReport[]>): Promise<readonly CaseReport[]> {
  if (process.platform !== 'linux') {
    bench.note('The gateway is not measured: the CPU of another process is read from /proc, which only Linux has.');
    return [];
  }
  return withDataPlanes(async (site) => {
    if (site.envoy === undefined)
      bench.note('The gateway stands alone: no Envoy found; name one in ISTHMUS_ENVOY, or run npm run servers.');
    return work(site);
  });
}

async function beside(bench: BenchRun, { ours, envoy }: DataPlaneSite, load: Load) {
  const ms = bench.roundMs * roundsFactor;
  const theirs = envoy === undefined ? undefined : () => loadOnce(envoy, load, ms);
  return alternate({ ours: () => loadOnce(ours, load, ms), theirs }, bench.rounds);
}

/** New connections for each round; their handshakes are not counted. */
async function loadOnce(gateway: GatewayUnderTest, load: Load, ms: number): Promise<Record<Seen, number>> {
  const sockets = await openAll(load.connections, gateway.port, load.tls);
  try {
    const before = await cpuSecondsOf(gateway.pid);
    const { count, p50, p99 } = await closedLoop(sockets, load.question, load.answered, ms);
    const used = (await cpuSecondsOf(gateway.pid)) - before;
    return { perCpuSecond: count / used, p50, p99 };
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}
