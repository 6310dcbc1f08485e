import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { buildBench } from './build-bench.ts';
import type { StartProxy } from './contract.ts';
import { onProxyCore } from './cores.ts';
import { httpCluster, httpRouting } from './http-rules.ts';

/** HTTP in the engine, as it might be: see docs/decisions/http-in-the-engine.md. Its tables are the routing of ours, as it is. */
export const startPrototype: StartProxy = async ({ plan, originPort, dir }) => {
  if (plan.kind !== 'http') return undefined;
  const tables = join(dir, 'tables.json');
  const endpoint = { address: '127.0.0.1', port: originPort };
  const cluster = { name: httpCluster, protocol: plan.version === 'http1' ? 'http' : 'http2', endpoints: [endpoint] };
  await writeFile(tables, JSON.stringify({ allow: 'any', routing: httpRouting, clusters: [cluster] }));
  const [program, args] = onProxyCore(await buildBench('http'), ['--tables', tables]);
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { done, value } = await lines.next();
  if (done === true) throw new Error('the prototype ended before it served');
  const { port } = JSON.parse(value) as { port: number };
  const stop = async () => {
    child.stdin.end();
    await exited;
  };
  return { port, pids: [child.pid ?? 0], stop };
};
