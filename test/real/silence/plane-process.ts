import { setInterval } from 'node:timers';
import { Registry } from 'prom-client';
import { SettableSvidSource } from '../../../core/identity/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { DataPlane } from '../../../gateway/data-plane.ts';
import type { ClusterTable, PlainRule } from '../../../gateway/engine/index.ts';
import { defaultLimits, StateStore } from '../../../gateway/index.ts';
import type { EndpointState } from '../../../gateway/state/types.ts';
import { endpoint } from '../../contract/engine/harness.ts';
import type { EngineName } from '../../support/engine-faults/brief.ts';
import { EchoCaller, isServed } from '../../support/engine-faults/echo-caller.ts';
import { MeshPki } from '../../support/mesh-pki.ts';

/** What a data plane, with callers of its own, is told. */
export interface PlaneBrief {
  readonly engine: EngineName;
  /** Each has a listener by its name, that leads to these addresses. */
  readonly services: Readonly<Record<string, readonly string[]>>;
  readonly port: number;
}

export type PlaneCall =
  /** Streams that ask all the time, and such as have said something once and wait for nothing. */
  | { readonly op: 'hold'; readonly service: string; readonly asking: number; readonly idle: number }
  | { readonly op: 'held'; readonly service: string }
  /** One new caller after another. */
  | { readonly op: 'call'; readonly service: string; readonly times: number };

export interface Held {
  readonly open: number;
  /** When the first and the last of those that are not was closed, Unix ms. */
  readonly closedFrom: number;
  readonly closedTo: number;
  /** Bytes that came back to those that ask, so far. */
  readonly echoed: number;
}

export interface Called {
  readonly served: number;
  readonly worstMs: number;
}

const askEveryMs = 50;
const held = new Map<string, { readonly callers: readonly EchoCaller[]; readonly asking: readonly EchoCaller[] }>();
const ports = new Map<string, number>();

process.once('disconnect', () => process.exit(0));
process.once('message', (message) => void serve(message as PlaneBrief));

async function serve({ engine, services, port }: PlaneBrief): Promise<void> {
  const pki = new MeshPki();
  const tables = Object.entries(services).map(([name, addresses]) =>
    table(
      name,
      addresses.map((address) => ({ ...endpoint(port), address, instance: address })),
    ),
  );
  const rule = (clusterName: string): PlainRule => ({ clusterName, protocol: 'tcp', allow: 'any' });
  const rules = {
    sni: new Map(),
    plain: new Map(tables.map(({ name }) => [name, rule(name)])),
    clusters: new Map(tables.map((each) => [each.name, each])),
    routings: new Map(),
  };
  const plane = new DataPlane(
    {
      state: new StateStore(),
      identity: new SettableSvidSource(pki.svid('east', 'shop', 'orders'), pki.bundle),
      clock: systemClock,
      random: Math.random,
      limits: defaultLimits,
      metrics: new Registry(),
      accessLog: () => {},
      engine,
      node: { cluster: 'east', instance: 'gw' },
    },
    () => rules,
  );
  for (const { name } of tables) {
    ports.set(name, (await plane.listen({ name, address: '127.0.0.1', port: 0, kind: 'plain' })).port);
  }
  process.on('message', (call) => void perform(call as PlaneCall).then((answer) => process.send?.(answer)));
  process.send?.(plane.engine.name);
}

function table(name: string, endpoints: readonly EndpointState[]): ClusterTable {
  return {
    name,
    host: `${name}.shop.mesh.internal`,
    namespace: 'shop',
    service: name,
    protocol: 'tcp',
    connectTimeoutMs: 5_000,
    endpoints,
  };
}

async function perform(call: PlaneCall): Promise<Held | Called> {
  const to = { port: ports.get(call.service) ?? 0 };
  if (call.op === 'call') {
    let [served, worstMs] = [0, 0];
    for (let i = 0; i < call.times; i++) {
      const began = performance.now();
      if (await isServed(to)) served += 1;
      worstMs = Math.max(worstMs, performance.now() - began);
    }
    return { served, worstMs };
  }
  if (call.op === 'hold') {
    const callers = Array.from({ length: call.asking + call.idle }, () => new EchoCaller(to));
    const asking = callers.slice(0, call.asking);
    while (!callers.every(({ settled }) => settled)) await new Promise((resolve) => setTimeout(resolve, 10));
    setInterval(() => {
      for (const caller of asking) if (caller.closedAt === undefined) caller.say(Buffer.from('?'));
    }, askEveryMs);
    held.set(call.service, { callers, asking });
  }
  return look(call.service);
}

function look(service: string): Held {
  const { callers = [], asking = [] } = held.get(service) ?? {};
  const closed = callers.flatMap(({ closedAt }) => (closedAt === undefined ? [] : [performance.timeOrigin + closedAt]));
  return {
    open: callers.length - closed.length,
    closedFrom: Math.min(...closed),
    closedTo: Math.max(...closed),
    echoed: asking.reduce((sum, caller) => sum + caller.echoed, 0),
  };
}
