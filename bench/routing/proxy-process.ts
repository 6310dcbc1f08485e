import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Registry } from 'prom-client';
import { SettableSvidSource } from '../../core/identity/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { DataPlane } from '../../gateway/data-plane.ts';
import { defaultLimits, StateStore } from '../../gateway/index.ts';
import { createAccessLog } from '../../gateway/telemetry/index.ts';
import { cluster, issue, openBenchAuthority, withFolder } from '../bench-pki.ts';
import type { GatewayUnderTest } from '../data-plane/contract.ts';
import { ourRules, type Ports } from './our-rules.ts';

/** The argument with which main serves in place of measuring. */
export const routingProxyArgument = 'routing-proxy';

/** Our data plane with its metrics and access log, in the clear. Ends with its parent. */
export async function serveRoutingProxy(): Promise<void> {
  const [ports] = (await once(process, 'message')) as [Ports];
  const identity = await withFolder(async (dir) => {
    const authority = await openBenchAuthority(dir);
    return new SettableSvidSource(issue(authority, 'shop', 'caller'), authority.bundle());
  });
  const rules = ourRules(ports);
  const plane = new DataPlane(
    {
      state: new StateStore(),
      identity,
      clock: systemClock,
      random: Math.random,
      limits: defaultLimits,
      metrics: new Registry(),
      accessLog: createAccessLog('bench'),
      node: { cluster, instance: 'bench' },
    },
    () => rules,
  );
  const { port } = await plane.listen({ name: 'orders', address: '127.0.0.1', port: 0, kind: 'plain' });
  process.send?.({ port });
  await once(process, 'disconnect');
  await plane.dispose();
}

/** In a process of its own. Its access log is written, to nowhere. */
export async function startRoutingProxy({ http1, http2, grpc }: Ports): Promise<GatewayUnderTest> {
  const [, main = ''] = process.argv;
  const child = fork(main, [routingProxyArgument], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const exited = once(child, 'exit');
  child.send({ http1, http2, grpc });
  const first = await Promise.race([once(child, 'message'), exited.then(() => undefined)]);
  if (first === undefined) throw new Error('the proxy under test ended before it served');
  const [{ port }] = first as [{ port: number }];
  const stop = async () => {
    if (child.connected) child.disconnect();
    await exited;
  };
  return { pid: child.pid ?? 0, port, stop };
}
