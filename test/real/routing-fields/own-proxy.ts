import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Registry } from 'prom-client';
import { controlChannel, SettableSvidSource } from '../../../core/identity/index.ts';
import { silentLog } from '../../../core/log.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { buildNode, nativeOrder } from '../../../core/xds/index.ts';
import { createOutbound, defaultLimits, type Outbound, StateFeed } from '../../../gateway/index.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import type { EnvoyMesh } from '../../support/envoy-mesh.ts';
import { onEnd } from '../../support/on-end.ts';

export interface CallerSpec {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly network: string;
  readonly locality: string;
}

/** Our own proxy as an agent has it, fed over real ADS. */
export async function startOwnProxy(t: TestContext, mesh: EnvoyMesh, spec: CallerSpec): Promise<Outbound> {
  const { namespace, serviceAccount, labels, network, locality } = spec;
  const svid = mesh.pki.svid('east', namespace, serviceAccount);
  const identity = new SettableSvidSource(svid, mesh.pki.bundle);
  const clock = systemClock;
  const stop = new AbortController();
  const feed = await StateFeed.open({
    file: join(await temporaryDir(t), 'state'),
    addresses: [mesh.address],
    security: () => controlChannel(identity, { cluster: 'east', now: () => clock.now() }),
    node: buildNode({ kind: 'agent', identity: svid.spiffeId, instance: 'own', network, locality, labels, version: '1' }),
    interest: () => new Map(nativeOrder.map((typeUrl) => [typeUrl, '*'])),
    clock,
    random: Math.random,
    log: silentLog,
    signal: stop.signal,
  });
  const running = feed.run();
  const outbound = createOutbound({
    state: feed.store,
    identity,
    clock,
    random: Math.random,
    limits: defaultLimits,
    metrics: new Registry(),
    accessLog: () => {},
    node: { cluster: 'east', instance: 'own', labels },
  });
  onEnd(t, async () => {
    await outbound.dispose();
    stop.abort();
    await running;
  });
  return outbound;
}
