import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { GrpcFront } from '../../control/grpc/index.ts';
import {
  createSnapshotBuilder,
  DialectResources,
  envoyDialect,
  nativeDialect,
  type SnapshotBuilder,
  type SnapshotInputs,
} from '../../control/snapshot/index.ts';
import { createXdsServer, type XdsServer } from '../../control/xds/index.ts';
import { SettableSvidSource } from '../../core/identity/index.ts';
import { silentLog } from '../../core/log.ts';
import { systemClock } from '../../core/system-clock.ts';
import { buildEnvoyBootstrap } from '../../core/xds/envoy/index.ts';
import { type ClientKind, type Labels, type NodeClaims, noClaims } from '../../core/xds/index.ts';
import { startLocalServer } from '../../gateway/envoy/index.ts';
import type { FlowSink } from '../../gateway/telemetry/flows/flow-sink.ts';
import { type RunningEnvoy, startEnvoy } from '../real/servers/index.ts';
import { temporaryDir } from './control-plane.ts';
import type { MeshPki } from './mesh-pki.ts';
import { onEnd } from './on-end.ts';
import { until } from './until.ts';

/** A control plane of cluster east as far as xDS goes: whatever the test says its catalog and policies are. */
export class EnvoyMesh {
  readonly pki: MeshPki;
  readonly xds: XdsServer;
  readonly #t: TestContext;
  readonly #front: GrpcFront;
  readonly #builder: SnapshotBuilder;
  readonly #resources: DialectResources;

  /** `builder`: of a test that writes the intermediate representation itself. */
  constructor(t: TestContext, pki: MeshPki, builder: SnapshotBuilder = createSnapshotBuilder()) {
    this.#t = t;
    this.pki = pki;
    this.#builder = builder;
    this.#resources = new DialectResources(builder, [nativeDialect, envoyDialect]);
    this.#front = new GrpcFront({
      host: '127.0.0.1',
      port: 0,
      identity: { svid: pki.svid('east', 'isthmus-system', 'control'), bundle: pki.bundle },
      clock: systemClock,
      log: silentLog,
    });
    const callerOf = (call: Parameters<GrpcFront['callerOf']>[0]) => this.#front.callerOf(call);
    this.xds = createXdsServer({ source: this.#resources, cluster: 'east', callerOf, clock: systemClock, log: silentLog });
    for (const { definition, handlers } of this.xds.services) this.#front.addService(definition, handlers);
  }

  async start(): Promise<this> {
    const stop = new AbortController();
    await this.#front.start(stop.signal);
    const running = this.xds.run(stop.signal);
    onEnd(this.#t, async () => {
      stop.abort();
      await running;
      await this.#front.dispose();
    });
    return this;
  }

  get address(): string {
    return `127.0.0.1:${this.#front.port}`;
  }

  update(inputs: SnapshotInputs): void {
    this.#builder.update(inputs);
    this.publish();
  }

  /** After the builder has something else. */
  publish(): void {
    this.#resources.publish();
  }

  /** Envoy as `isthmus envoy bootstrap` starts it, with its node's own secrets. */
  async envoy(
    serviceAccount: string,
    options: {
      kind?: ClientKind;
      namespace?: string;
      network?: string;
      locality?: string;
      labels?: Labels;
      claims?: Partial<NodeClaims>;
      /** Told of what it carries. */
      flows?: FlowSink;
      drainSeconds?: number;
    },
  ): Promise<RunningEnvoy> {
    const { kind = 'agent', namespace = 'shop', network = 'east-net', locality = '', labels = {}, claims = {}, flows } = options;
    const svid = this.pki.svid('east', namespace, serviceAccount);
    const agentSocket = join(await temporaryDir(this.#t), 'xds.sock');
    const identity = new SettableSvidSource(svid, this.pki.bundle);
    const local = await startLocalServer({
      socket: agentSocket,
      identity,
      trust: () => this.pki.bundle,
      ...(flows === undefined ? {} : { flows }),
      clock: systemClock,
      log: silentLog,
    });
    onEnd(this.#t, () => local.close());
    const bootstrap = buildEnvoyBootstrap({
      kind,
      identity: { trustDomain: this.pki.trustDomain, namespace, serviceAccount },
      instance: serviceAccount,
      network,
      locality,
      labels,
      claims: { ...noClaims, ...claims },
      cluster: 'east',
      controlAddresses: [this.address],
      agentSocket,
      admin: { address: '127.0.0.1', port: 0 },
      listenersFrom: 'control',
      transport: 'delta',
    });
    const envoy = await startEnvoy({ bootstrap, ...(options.drainSeconds === undefined ? {} : { drainSeconds: options.drainSeconds }) });
    onEnd(this.#t, () => envoy.stop());
    return envoy;
  }
}

/** Of Envoy's own counters; 0 for one that it does not have. */
export async function envoyStats(envoy: RunningEnvoy, filter: string): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${envoy.adminUrl}/stats?filter=${encodeURIComponent(filter)}`)).text();
  const lines = text.split('\n').map((line) => /^(.*): (\d+)$/.exec(line));
  return new Map(lines.flatMap((m) => (m === null ? [] : [[m[1] ?? '', Number(m[2])] as const])));
}

/** Everything that Envoy was sent it has taken. */
export async function refusedUpdates(envoy: RunningEnvoy): Promise<number> {
  return [...(await envoyStats(envoy, 'update_rejected')).values()].reduce((sum, n) => sum + n, 0);
}

export async function untilListening(envoy: RunningEnvoy, names: readonly string[]): Promise<void> {
  await until(`listeners ${names.join()}`, async () => {
    const text = await (await fetch(`${envoy.adminUrl}/listeners`)).text();
    return names.every((name) => text.split('\n').some((line) => line.startsWith(`${name}::`)));
  });
}

/** An application that answers with its name and with the headers that it got. */
export async function startApp(t: TestContext, name: string): Promise<{ port: number; server: Server }> {
  const server = createServer((request, response) => {
    response.setHeader('x-app', name);
    response.end(JSON.stringify({ app: name, url: request.url, headers: request.headers }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, server };
}
