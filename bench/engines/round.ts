import type { ProxyPlan, RunningProxy } from './contract.ts';
import { sniPattern } from './contract.ts';
import { LoadProcess } from './load-process.ts';
import type { Contender } from './site.ts';
import { memoryOf, usageOf } from './usage.ts';

/** What one round sees of one contender, by name. */
export type Seen =
  /** µs of CPU for each operation: of the proxy, and of the whole machine. */
  | 'cpu'
  | 'system'
  /** Operations, or GB, a second. */
  | 'rate'
  /** µs. */
  | 'p50'
  | 'p99'
  | 'p999'
  /** KB of memory that each connection takes while it is idle; of the last process of the proxy. */
  | 'memory';

/** What is loaded: a sub-command of the load generator. */
export type Load =
  | { readonly kind: 'ping-pong'; readonly connections: number; readonly idle?: number }
  | { readonly kind: 'connect'; readonly atOnce: number }
  | { readonly kind: 'bulk'; readonly direction: 'up' | 'both'; readonly connections: number };

const payloadBytes = 64;
const gigabyte = 1e9;

/** One round. Rejects when the proxy breaks a connection or changes a byte. */
export async function runRound({ proxy, plan, memoryAtRest }: Contender, load: Load, ms: number): Promise<Readonly<Record<Seen, number>>> {
  const running = await LoadProcess.start(argumentsOf(proxy, plan, load, ms));
  try {
    await running.next('ready');
    const memory = await memoryPerConnection(proxy, load, memoryAtRest);
    const begun = await usageOf(proxy.pids);
    running.go();
    const done = await running.next('done');
    const ended = await usageOf(proxy.pids);
    const number = (name: string) => Number(done[name] ?? Number.NaN);
    const operations = load.kind === 'bulk' ? number('bytes') / gigabyte : number('count');
    const seconds = number('wallUs') / 1e6;
    return {
      cpu: ((ended.process - begun.process) / operations) * 1e6,
      system: ((ended.system - begun.system) / operations) * 1e6,
      rate: operations / seconds,
      p50: number('p50Us'),
      p99: number('p99Us'),
      p999: number('p999Us'),
      memory,
    };
  } finally {
    await running.stop();
  }
}

async function memoryPerConnection(proxy: RunningProxy, load: Load, atRest: number): Promise<number> {
  if (load.kind !== 'ping-pong' || load.idle === undefined) return Number.NaN;
  const after = await memoryOf(proxy.pids.slice(-1));
  return (after - atRest) / (load.idle + load.connections) / 1_024;
}

function argumentsOf(proxy: RunningProxy, plan: ProxyPlan, load: Load, ms: number): readonly string[] {
  const { kind, ...options } = load;
  const names = plan.kind === 'passthrough' ? ['--sni', sniPattern, '--routes', String(plan.routes)] : [];
  const size = kind === 'bulk' ? [] : ['--size', String(payloadBytes)];
  const rest = Object.entries(options).flatMap(([name, value]) => [`--${name === 'atOnce' ? 'at-once' : name}`, String(value)]);
  return [kind, '--target', `127.0.0.1:${proxy.port}`, '--ms', String(ms), ...names, ...size, ...rest];
}
