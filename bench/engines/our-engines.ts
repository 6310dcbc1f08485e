import { fork } from 'node:child_process';
import { once } from 'node:events';
import { type Svid, svidKeyPem } from '../../core/identity/index.ts';
import { formatSpiffeId } from '../../core/model/index.ts';
import { cluster } from '../bench-pki.ts';
import type { BenchIdentity, ProxyBrief, RunningProxy, StartProxy } from './contract.ts';
import { onProxyCore } from './cores.ts';
import {
  collectGarbage,
  type EngineBrief,
  type EnginePart,
  type EngineServes,
  engineProcessArgument,
  type OurEngine,
} from './engine-brief.ts';
import { pairOf } from './spawn-proxy.ts';

/** One of ours in a process of its own, or two of them; undefined when another engine than that one runs. */
export function startOurs(engine: OurEngine): StartProxy {
  return async (brief) => {
    const { plan, originPort, identity } = brief;
    if (plan.kind === 'passthrough') {
      const { routes, changeEveryMs, accessLog = false } = plan;
      return startOne(briefOf(engine, identity, identity.server, { kind: 'passthrough', routes, originPort, changeEveryMs, accessLog }));
    }
    if (plan.kind === 'http')
      return startOne(briefOf(engine, identity, identity.server, { kind: 'http', version: plan.version, originPort }));
    return startPair(engine, brief, plan.resume);
  };
}

async function startPair(engine: OurEngine, { originPort, identity }: ProxyBrief, resume: boolean): Promise<RunningProxy | undefined> {
  const { client, server } = identity;
  const far = await startOne(briefOf(engine, identity, server, { kind: 'terminate', originPort, resume }));
  if (far === undefined) return undefined;
  try {
    const part = { kind: 'originate', farPort: far.port, uriSan: formatSpiffeId(server.spiffeId), resume } as const;
    const near = await startOne(briefOf(engine, identity, client, part));
    if (near !== undefined) return pairOf(near, far);
  } catch (error) {
    await far.stop();
    throw error;
  }
  await far.stop();
  return undefined;
}

function briefOf(engine: OurEngine, { bundle, trustDomain }: BenchIdentity, svid: Svid, part: EnginePart): EngineBrief {
  const base64 = (der: Uint8Array) => Buffer.from(der).toString('base64');
  return {
    engine,
    cluster,
    trustDomain,
    keyPem: svidKeyPem(svid),
    chain: svid.chainDer.map(base64),
    roots: bundle.roots.map(base64),
    intermediates: bundle.intermediates.map((each) => ({ cluster: each.cluster, certificate: base64(each.certificate) })),
    part,
  };
}

async function startOne(brief: EngineBrief): Promise<RunningProxy | undefined> {
  const [, main = ''] = process.argv;
  const [execPath, execArgv] = onProxyCore(process.execPath, []);
  const child = fork(main, [engineProcessArgument], { execPath, execArgv: [...execArgv], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const exited = once(child, 'exit');
  child.send(brief);
  const first = await Promise.race([once(child, 'message'), exited.then(() => undefined)]);
  if (first === undefined) throw new Error(`the ${brief.engine} engine ended before it served`);
  const [serves] = first as [EngineServes];
  const stop = async () => {
    if (child.connected) child.disconnect();
    await exited;
  };
  const collect = async () => {
    child.send(collectGarbage);
    await once(child, 'message');
  };
  if (serves.engine === brief.engine) return { port: serves.port, pids: [child.pid ?? 0], collect, stop };
  await stop();
  return undefined;
}
