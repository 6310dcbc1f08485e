import { once } from 'node:events';
import { GrpcFront } from '../../control/grpc/index.ts';
import { createXdsServer } from '../../control/xds/index.ts';
import { makeSvid, type TrustBundle } from '../../core/identity/index.ts';
import { silentLog } from '../../core/log.ts';
import { keyFromPem } from '../../core/pki/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { cluster, trustDomain } from '../bench-pki.ts';
import { BenchControl } from './bench-control.ts';
import type { XdsControlBrief, XdsControlOrder, XdsControlUsage } from './contract.ts';

/** Far above what a case needs: all its clients come from one address and have one identity. */
const many = 10_000;

/** Catalog, snapshots and the xDS listener of a control plane, over a mesh that changes when the parent says so. Ends with its parent. */
export async function serveXdsControl(): Promise<void> {
  const [brief] = (await once(process, 'message')) as [XdsControlBrief];
  const control = await BenchControl.idle(brief.size);
  await control.load(control.mesh.firstSnapshot());
  const front = frontOf(brief);
  const xds = createXdsServer({
    source: control.snapshots.resources,
    cluster,
    callerOf: (call) => front.callerOf(call),
    clock: systemClock,
    log: silentLog,
    limits: { streamsPerIdentity: many },
  });
  for (const { definition, handlers } of xds.services) front.addService(definition, handlers);
  const stop = new AbortController();
  await front.start(stop.signal);
  const running = xds.run(stop.signal);
  let turn = 0;
  process.on('message', async (order: XdsControlOrder) => {
    if (order === 'change') {
      await control.mesh.apply(control.mesh.nextChanges(1));
      process.send?.(turn++ % control.mesh.serviceCount);
    } else {
      const { user, system } = process.cpuUsage();
      process.send?.({ cpuUs: user + system, clients: xds.clients().length } satisfies XdsControlUsage);
    }
  });
  process.send?.(front.port);
  await once(process, 'disconnect');
  stop.abort();
  await running;
  await front.dispose();
  await control.stop();
}

function frontOf(brief: XdsControlBrief): GrpcFront {
  const bytes = (base64: string) => Buffer.from(base64, 'base64');
  const svid = makeSvid(brief.chain.map(bytes), keyFromPem(brief.keyPem));
  if (!svid.ok) throw new Error(svid.violations[0]?.message);
  const bundle: TrustBundle = {
    trustDomain,
    roots: brief.roots.map(bytes),
    intermediates: brief.intermediates.map((each) => ({ cluster: each.cluster, certificate: bytes(each.certificate) })),
    deniedSerials: [],
  };
  const limits = { connectionsPerSource: many, connections: many };
  return new GrpcFront({ host: '127.0.0.1', port: 0, identity: { svid: svid.value, bundle }, clock: systemClock, log: silentLog, limits });
}
