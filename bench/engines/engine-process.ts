import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Registry } from 'prom-client';
import { makeSvid, SettableSvidSource, type TrustBundle } from '../../core/identity/index.ts';
import { keyFromPem } from '../../core/pki/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { DataPlane } from '../../gateway/data-plane.ts';
import { defaultLimits, StateStore } from '../../gateway/index.ts';
import { createAccessLog } from '../../gateway/telemetry/index.ts';
import { collectGarbage, type EngineBrief, type EngineServes } from './engine-brief.ts';
import { listenerOf, rulesOf } from './engine-rules.ts';

/** All callers of a bench come from one address. */
const limits = { ...defaultLimits, engine: { ...defaultLimits.engine, maxConnections: 20_000, maxConnectionsPerSource: 20_000 } };

/** The data plane of a gateway with its metrics, fed with rules in place of xDS; its access log is off, as the peers' are, where no plan asks for it. Ends with its parent. */
export async function serveEngine(): Promise<void> {
  const [brief] = (await once(process, 'message')) as [EngineBrief];
  const svid = makeSvid(brief.chain.map(bytes), keyFromPem(brief.keyPem));
  if (!svid.ok) throw new Error(svid.violations[0]?.message);
  const bundle: TrustBundle = {
    trustDomain: brief.trustDomain,
    roots: brief.roots.map(bytes),
    intermediates: brief.intermediates.map(({ cluster, certificate }) => ({ cluster, certificate: bytes(certificate) })),
    deniedSerials: [],
  };
  const logs = brief.part.kind === 'passthrough' && brief.part.accessLog;
  let turn = 0;
  const plane = new DataPlane(
    {
      state: new StateStore(),
      identity: new SettableSvidSource(svid.value, bundle),
      clock: systemClock,
      random: Math.random,
      limits,
      metrics: new Registry(),
      accessLog: logs ? createAccessLog('bench') : () => {},
      engine: brief.engine === 'native' ? 'auto' : 'node',
      engineThreads: 1,
      ...('resume' in brief.part ? { resumeTls: brief.part.resume } : {}),
      node: { cluster: brief.cluster, instance: 'bench' },
    },
    () => rulesOf(brief, turn),
  );
  const { port } = await plane.listen(listenerOf(brief.part));
  const changes = changesOf(brief, () => {
    turn++;
    plane.refresh();
  });
  const serves: EngineServes = { port, engine: plane.engine.name };
  process.send?.(serves);
  process.on('message', (message) => {
    if (message === collectGarbage) collect();
  });
  await once(process, 'disconnect');
  clearInterval(changes);
  await plane.dispose();
}

/** A process whose memory is compared has none that it could give up. */
function collect(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  process.send?.(collectGarbage);
}

function changesOf({ part }: EngineBrief, change: () => void): NodeJS.Timeout | undefined {
  return part.kind === 'passthrough' && part.changeEveryMs !== undefined ? setInterval(change, part.changeEveryMs) : undefined;
}

function bytes(base64: string): Buffer {
  return Buffer.from(base64, 'base64');
}
