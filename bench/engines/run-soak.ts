import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { withFolder } from '../bench-pki.ts';
import { type ProxyPlan, sniPattern } from './contract.ts';
import type { OurEngine } from './engine-brief.ts';
import { LoadProcess } from './load-process.ts';
import { startOurs } from './our-engines.ts';
import { issueIdentity } from './site.ts';
import { freePort } from './spawn-proxy.ts';

/** What became of the connections of a soak. */
export interface SoakCounts {
  readonly failed: number;
  /** Of those: resets that came as ordinary ends. */
  readonly truncated: number;
  readonly bytes: number;
  /** Of the first ones; each with the seed that brings it up again. */
  readonly failures: readonly string[];
}

export interface SoakPlan {
  readonly engine: OurEngine;
  readonly plan: ProxyPlan;
  readonly connections: number;
  readonly atOnce: number;
  readonly seed: number;
}

/** Checksummed streams through an engine of ours, to an origin in the process of the load. Undefined: that engine is not built. */
export function runSoak({ engine, plan, connections, atOnce, seed }: SoakPlan): Promise<SoakCounts | undefined> {
  return withFolder(async (folder) => {
    const [originPort, dir] = [await freePort(), join(folder, engine)];
    await mkdir(dir);
    const proxy = await startOurs(engine)({ plan, originPort, dir, identity: await issueIdentity(folder) });
    if (proxy === undefined) return undefined;
    const names = plan.kind === 'passthrough' ? ['--sni', sniPattern, '--routes', String(plan.routes)] : [];
    const amount = ['--connections', String(connections), '--concurrency', String(atOnce), '--seed', String(seed)];
    const target = ['--target', `127.0.0.1:${proxy.port}`, '--origin-port', String(originPort)];
    const running = await LoadProcess.start(['soak', ...target, ...names, ...amount]);
    try {
      const done = await running.next('done');
      return done as unknown as SoakCounts;
    } finally {
      await running.stop();
      await proxy.stop();
    }
  });
}
