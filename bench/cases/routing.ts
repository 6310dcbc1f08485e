import type { BenchCase, BenchRun } from '../bench-case.ts';
import { withFolder } from '../bench-pki.ts';
import type { GatewayUnderTest } from '../data-plane/contract.ts';
import { cpuSecondsOf } from '../data-plane/process-cpu.ts';
import { findEnvoy, startEnvoy } from '../data-plane/start-envoy.ts';
import { alternate, type Figure } from '../measure.ts';
import { type CaseReport, caseReport } from '../report.ts';
import { startBackends } from '../routing/backends.ts';
import { type Caller, openCaller, type Spoken } from '../routing/callers.ts';
import { envoyBootstrap } from '../routing/envoy-config.ts';
import { closedLoop, openLoop, type Served } from '../routing/load.ts';
import { pin } from '../routing/pin.ts';
import { startRoutingProxy } from '../routing/proxy-process.ts';

const connections = 64;
/** CPU is read to a hundredth of a second. */
const roundsFactor = 4;

type Seen = 'cpuUs' | 'p50' | 'p99';
type Figures = Readonly<Record<Seen, Figure>>;

export const routing: readonly BenchCase[] = [
  of('routing-http1', 'HTTP/1.1', 4),
  of('routing-http2', 'HTTP/2', 8),
  of('routing-grpc', 'gRPC', 8),
];

function of(name: string, spoken: Spoken, cpuGoal: number): BenchCase {
  return {
    name,
    about: `${spoken} by a handful of rules: ${connections} connections, 1 KiB, open loop at half of what saturates the slower, beside Envoy`,
    run: (bench) => measured(bench, spoken, cpuGoal),
  };
}

async function measured(bench: BenchRun, spoken: Spoken, cpuGoal: number): Promise<readonly CaseReport[]> {
  const binary = process.platform === 'linux' ? await findEnvoy() : undefined;
  if (binary === undefined) {
    bench.note('Routing is not measured: it stands beside Envoy, on Linux; name one in ISTHMUS_ENVOY, or run npm run servers.');
    return [];
  }
  return withFolder(async (dir) => {
    const backends = await startBackends();
    const stops: (() => Promise<void>)[] = [];
    try {
      const ours = await startRoutingProxy(backends);
      stops.push(ours.stop);
      const envoy = await startEnvoy(binary, dir, envoyBootstrap(backends));
      stops.push(envoy.stop);
      const pinned = [await pin(ours.pid, 0), await pin(envoy.pid, 0), await pin(process.pid, 1)];
      if (pinned.includes(undefined)) bench.note('Nothing is held to a CPU: that takes taskset and two of them.');
      const [, , unpin] = pinned;
      if (unpin !== undefined) stops.push(unpin);
      return await compared(bench, { ours, envoy }, spoken, cpuGoal);
    } finally {
      await Promise.all(stops.map((stop) => stop()));
      backends.stop();
    }
  });
}

async function compared(
  { rounds, roundMs }: BenchRun,
  { ours, envoy }: { readonly ours: GatewayUnderTest; readonly envoy: GatewayUnderTest },
  spoken: Spoken,
  cpuGoal: number,
): Promise<readonly CaseReport[]> {
  const ms = roundMs * roundsFactor;
  const most = async (proxy: GatewayUnderTest) => {
    await through(proxy, spoken, (callers) => closedLoop(callers, ms));
    const { count } = await through(proxy, spoken, (callers) => closedLoop(callers, ms));
    return (count / ms) * 1e3;
  };
  const offered = Math.min(await most(ours), await most(envoy)) / 2;
  const round = (proxy: GatewayUnderTest) => async (): Promise<Record<Seen, number>> => {
    const { cpuUs, p50, p99 } = await through(proxy, spoken, (callers) => openLoop(callers, offered, ms));
    return { cpuUs, p50, p99 };
  };
  const { ours: us, theirs } = await alternate({ ours: round(ours), theirs: round(envoy) }, rounds);
  const at = `${Math.round(offered)}/s`;
  return [
    report(`${spoken} CPU a request, ${at}`, us, theirs, 'cpuUs', cpuGoal),
    report(`${spoken} p50, ${at}`, us, theirs, 'p50'),
    report(`${spoken} p99, ${at}`, us, theirs, 'p99', 2),
  ];
}

function report(name: string, us: Figures, theirs: Figures, key: Seen, atMost?: number): CaseReport {
  const goal =
    atMost === undefined ? {} : { goal: { text: `at most ${atMost}× Envoy's`, met: (_: number, ratio: number) => ratio * atMost >= 1 } };
  return caseReport({ name, unit: 'µs', better: 'less', ours: us[key], peer: { name: 'Envoy', figure: theirs[key] }, ...goal });
}

/** New connections for each round. Rejects when one fails or an answer is not what was expected. */
async function through(
  { port, pid }: GatewayUnderTest,
  spoken: Spoken,
  load: (callers: readonly Caller[]) => Promise<Served>,
): Promise<Served & { readonly cpuUs: number }> {
  let callers: readonly Caller[] = [];
  try {
    return await new Promise((resolve, reject) => {
      const failed = (why: string) => reject(new Error(why));
      const measure = async () => {
        callers = await Promise.all(Array.from({ length: connections }, () => openCaller(port, spoken, failed)));
        // What a new connection costs once is not what a request costs.
        await Promise.all(callers.map(({ ask }) => new Promise<void>((answered) => ask(answered))));
        const before = await cpuSecondsOf(pid);
        const served = await load(callers);
        resolve({ ...served, cpuUs: (((await cpuSecondsOf(pid)) - before) / served.count) * 1e6 });
      };
      measure().catch(reject);
    });
  } finally {
    for (const caller of callers) caller.close();
  }
}
