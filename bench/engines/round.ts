import type { ProxyPlan, RunningProxy } from './contract.ts';
import { sniPattern } from './contract.ts';
import { type Memory, memoryWhenCalm, perConnection } from './idle-memory.ts';
import { LoadProcess } from './load-process.ts';
import type { Contender } from './site.ts';
import { besideEngineSeconds, usageOf } from './usage.ts';

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
  | 'memory'
  /** Share of one CPU that the native engine's process takes beside the threads that move bytes: metrics, logs, tables. */
  | 'seeing';

/** What is loaded: a sub-command of the load generator. */
export type Load =
  | { readonly kind: 'ping-pong'; readonly connections: number; readonly idle?: number }
  | { readonly kind: 'connect'; readonly atOnce: number; readonly perSecond?: number }
  | { readonly kind: 'bulk'; readonly direction: 'up' | 'both'; readonly connections: number }
  | HttpLoad;

/** Of small answers each counts, of large ones their bytes. `size`: as the plan's. */
type HttpLoad =
  | { readonly kind: 'http1'; readonly connections: number; readonly size: number }
  | { readonly kind: 'http2'; readonly connections: number; readonly streams: number; readonly size: number };

const payloadBytes = 64;
const warmUpMs = 500;
const gigabyte = 1e9;
const bulkBytes = 1e6;

/** One round. Rejects when the proxy breaks a connection or changes a byte. */
export async function runRound(
  { proxy, plan }: Contender,
  load: Load,
  ms: number,
  memoryAtRest?: Memory,
): Promise<Readonly<Record<Seen, number>>> {
  const running = await LoadProcess.start(argumentsOf(proxy, plan, load, ms));
  try {
    await running.next('ready');
    const memory = await memoryPerConnection(proxy, load, memoryAtRest);
    const begun = await usageOf(proxy.pids);
    const besideBefore = await besideEngineSeconds(proxy.pids);
    running.go();
    const done = await running.next('done');
    const ended = await usageOf(proxy.pids);
    const beside = (await besideEngineSeconds(proxy.pids)) - besideBefore;
    const number = (name: string) => Number(done[name] ?? Number.NaN);
    const operations = isBulk(load) ? number('bytes') / gigabyte : number('count');
    const seconds = number('wallUs') / 1e6;
    return {
      cpu: ((ended.process - begun.process) / operations) * 1e6,
      system: ((ended.system - begun.system) / operations) * 1e6,
      rate: operations / seconds,
      p50: number('p50Us'),
      p99: number('p99Us'),
      p999: number('p999Us'),
      memory,
      seeing: beside / seconds,
    };
  } finally {
    await running.stop();
  }
}

async function memoryPerConnection(proxy: RunningProxy, load: Load, atRest: Memory | undefined): Promise<number> {
  if (atRest === undefined || load.kind !== 'ping-pong' || load.idle === undefined) return Number.NaN;
  return perConnection(await memoryWhenCalm(proxy), atRest, load.idle + load.connections);
}

/** Memory of a proxy that has served before, and serves nobody now. Undefined where the load asks for none. */
export async function restOf(contender: Contender, load: Load): Promise<Memory | undefined> {
  if (load.kind !== 'ping-pong' || load.idle === undefined) return undefined;
  await runRound(contender, { kind: 'ping-pong', connections: load.connections }, warmUpMs);
  return memoryWhenCalm(contender.proxy);
}

const flags: Readonly<Record<string, string>> = { atOnce: 'at-once', perSecond: 'per-second' };

function isBulk(load: Load): boolean {
  return load.kind === 'bulk' || ('size' in load && load.size >= bulkBytes);
}

function argumentsOf(proxy: RunningProxy, plan: ProxyPlan, load: Load, ms: number): readonly string[] {
  const { kind, ...options } = load;
  const names = plan.kind === 'passthrough' ? ['--sni', sniPattern, '--routes', String(plan.routes)] : [];
  const size = kind === 'bulk' || 'size' in load ? [] : ['--size', String(payloadBytes)];
  const rest = Object.entries(options).flatMap(([name, value]) => [`--${flags[name] ?? name}`, String(value)]);
  return [kind, '--target', `127.0.0.1:${proxy.port}`, '--ms', String(ms), ...names, ...size, ...rest];
}
