import { once } from 'node:events';
import { Registry } from 'prom-client';
import { makeSvid, SettableSvidSource, type TrustBundle } from '../../core/identity/index.ts';
import { keyFromPem } from '../../core/pki/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { DataPlane } from '../../gateway/data-plane.ts';
import { defaultLimits, StateStore } from '../../gateway/index.ts';
import { gatewayRules } from '../../gateway/tables.ts';
import { createAccessLog } from '../../gateway/telemetry/index.ts';
import type { GatewayBrief } from './contract.ts';

/** The data plane of `isthmus gateway` with its metrics and access log, fed over the pipe in place of xDS. Ends with its parent. */
export async function serveGateway(): Promise<void> {
  const [brief] = (await once(process, 'message')) as [GatewayBrief];
  const chain = brief.chain.map(bytes);
  const svid = makeSvid(chain, keyFromPem(brief.keyPem));
  if (!svid.ok) throw new Error(svid.violations[0]?.message);
  const bundle: TrustBundle = {
    trustDomain: brief.trustDomain,
    roots: brief.roots.map(bytes),
    intermediates: brief.intermediates.map(({ cluster, certificate }) => ({ cluster, certificate: bytes(certificate) })),
    deniedSerials: [],
  };
  const state = new StateStore();
  for (const { typeUrl, name, value } of brief.resources) {
    const rejected = state.apply({ typeUrl, changed: [{ name, version: '1', any: { typeUrl, value: bytes(value) } }], removed: [] });
    if (rejected.length > 0) throw new Error(`${name}: ${rejected[0]?.reason}`);
  }
  const plane = new DataPlane(
    {
      state,
      identity: new SettableSvidSource(svid.value, bundle),
      clock: systemClock,
      random: Math.random,
      limits: defaultLimits,
      metrics: new Registry(),
      accessLog: createAccessLog('bench'),
      node: { cluster: brief.cluster, instance: 'bench' },
    },
    () => gatewayRules(state.current),
  );
  const { port } = await plane.listen({ name: 'east-west', address: '127.0.0.1', port: 0, kind: 'sni' });
  process.send?.({ port });
  await once(process, 'disconnect');
  await plane.dispose();
}

function bytes(base64: string): Buffer {
  return Buffer.from(base64, 'base64');
}
