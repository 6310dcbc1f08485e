import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Registry } from 'prom-client';
import { controlChannel, SettableSvidSource } from '../../../core/identity/index.ts';
import { silentLog } from '../../../core/log.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { buildNode, type ClientKind, nativeOrder } from '../../../core/xds/index.ts';
import type { CountedContext } from '../../../gateway/counted-context.ts';
import { DataPlane } from '../../../gateway/data-plane.ts';
import { originateListeners } from '../../../gateway/inbound/originate-listeners.ts';
import { createOutbound, defaultLimits, type Outbound, StateFeed } from '../../../gateway/index.ts';
import { Ingress } from '../../../gateway/ingress/ingress.ts';
import { gatewayRules } from '../../../gateway/tables.ts';
import type { FlowSink } from '../../../gateway/telemetry/flows/flow-sink.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import type { EnvoyMesh } from '../../support/envoy-mesh.ts';
import { onEnd } from '../../support/on-end.ts';

export interface CallerSpec {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly network: string;
  readonly locality: string;
  /** Told of what it carries. */
  readonly flows?: FlowSink;
}

/** Our own proxy as an agent has it, fed over real ADS. */
export async function startOwnProxy(t: TestContext, mesh: EnvoyMesh, spec: CallerSpec): Promise<Outbound> {
  const { context } = await ownContext(t, mesh, spec, 'agent');
  const outbound = createOutbound(context);
  onEnd(t, () => outbound.dispose());
  return outbound;
}

/** The same as an ingress gateway has it. Its ports are on 127.0.0.1. */
export async function startOwnIngress(t: TestContext, mesh: EnvoyMesh, spec: CallerSpec): Promise<void> {
  const { context, stop, ended } = await ownContext(t, mesh, spec, 'ingress');
  const { clock, state } = context;
  const ingress: Ingress = new Ingress({
    address: '127.0.0.1',
    clock,
    log: silentLog,
    refresh: () => plane.refresh(),
    listen: (each) => plane.listen(each),
  });
  const plane = new DataPlane(context, () => ingress.rules(state.current));
  const running = ingress.run(() => false, ended);
  state.subscribe(() => void ingress.apply(state.current));
  onEnd(t, async () => {
    await stop();
    await running;
    await plane.dispose();
  });
}

export interface OwnGateway {
  /** Other networks reach it by this. */
  readonly port: number;
  /** Those that it carries now. */
  connections(): number;
  /** Opens the ports of imported services that it was told of by now, on 127.0.0.1. */
  originate(): Promise<void>;
}

/** The same as an east-west gateway of `network` has it. */
export async function startOwnGateway(
  t: TestContext,
  mesh: EnvoyMesh,
  network: string,
  instance: string,
  flows?: FlowSink,
): Promise<OwnGateway> {
  const spec = { namespace: 'isthmus-system', serviceAccount: 'gateway', labels: {}, network, locality: '' };
  const counted = flows === undefined ? spec : { ...spec, flows };
  const { context } = await ownContext(t, mesh, counted, 'gateway', instance);
  const plane = new DataPlane(context, () => gatewayRules(context.state.current));
  onEnd(t, () => plane.dispose());
  const { port } = await plane.listen({ name: 'east-west', address: '127.0.0.1', port: 0, kind: 'sni' });
  const originate = async () => {
    for (const each of originateListeners(context.state.current, '127.0.0.1')) await plane.listen(each);
  };
  return { port, connections: () => plane.openConnections, originate };
}

interface OwnContext {
  readonly context: CountedContext;
  /** Aborts when it is stopped. */
  readonly ended: AbortSignal;
  stop(): Promise<void>;
}

/** What it starts ends with the test, if not before. */
async function ownContext(t: TestContext, mesh: EnvoyMesh, spec: CallerSpec, kind: ClientKind, instance = 'own'): Promise<OwnContext> {
  const { namespace, serviceAccount, labels, network, locality } = spec;
  const svid = mesh.pki.svid('east', namespace, serviceAccount);
  const identity = new SettableSvidSource(svid, mesh.pki.bundle);
  const clock = systemClock;
  const end = new AbortController();
  const feed = await StateFeed.open({
    file: join(await temporaryDir(t), 'state'),
    addresses: [mesh.address],
    security: () => controlChannel(identity, { cluster: 'east', now: () => clock.now() }),
    node: buildNode({ kind, identity: svid.spiffeId, instance, network, locality, labels, version: '1' }),
    interest: () => new Map(nativeOrder.map((typeUrl) => [typeUrl, '*'])),
    clock,
    random: Math.random,
    log: silentLog,
    signal: end.signal,
  });
  const running = feed.run();
  const context: CountedContext = {
    state: feed.store,
    identity,
    clock,
    random: Math.random,
    limits: defaultLimits,
    metrics: new Registry(),
    accessLog: () => {},
    node: { cluster: 'east', instance, labels },
    ...(spec.flows === undefined ? {} : { flows: spec.flows }),
  };
  const stop = async () => {
    end.abort();
    await running;
  };
  onEnd(t, stop);
  return { context, ended: end.signal, stop };
}
