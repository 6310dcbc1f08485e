import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Registry } from 'prom-client';
import {
  type Attestor,
  Authority,
  type Claims,
  caInit,
  createToken,
  Issuance,
  JoinTokenAttestor,
  JwtIssuance,
  JwtKeyRing,
  keepAuthority,
  Ledger,
  loadRoot,
  ownSvidSource,
  type TokenRequest,
} from '../../control/ca/index.ts';
import { type CallLike, type FrontLimits, GrpcFront, identityServer } from '../../control/grpc/index.ts';
import {
  GatewayList,
  Instances,
  Liveness,
  Presence,
  type ReachWatch,
  RefusedRegistrations,
  type RegisteredGateway,
  registrationServer,
  SocketReports,
  Takeovers,
} from '../../control/registration/index.ts';
import { openEmbeddedStore } from '../../control/store/index.ts';
import { createRefusalCounter, createRefusals } from '../../control/telemetry/index.ts';
import type { Clock } from '../../core/clock.ts';
import { formatJoinToken, readIfThere, type SvidSource } from '../../core/identity/index.ts';
import type { Latest } from '../../core/latest.ts';
import { type Log, silentLog } from '../../core/log.ts';
import { clusterId } from '../../core/model/index.ts';
import type { Store } from '../../core/store.ts';
import { systemClock } from '../../core/system-clock.ts';
import { IdentityService, RegistrationService } from '../../core/xds/gen/isthmus/agent/v1/agent.ts';
import { onEnd } from './on-end.ts';

export interface TestControlPlane {
  readonly store: Store;
  readonly authority: Authority;
  readonly jwtKeys: JwtKeyRing;
  readonly ledger: Ledger;
  readonly front: GrpcFront;
  readonly source: SvidSource;
  readonly instances: Instances;
  readonly sockets: SocketReports;
  readonly gateways: Latest<readonly RegisteredGateway[]>;
  readonly address: string;
  readonly lines: readonly string[];
  readonly refusedRegistrations: RefusedRegistrations;
  /** `what reason` → how often. */
  refused(): Promise<Readonly<Record<string, number>>>;
  /** Text of a new join token. */
  token(claims?: Partial<Claims>, request?: Partial<TokenRequest>): Promise<string>;
  /** Stops everything; the state stays in `dir`. */
  stop(): Promise<void>;
}

export interface TestControlPlaneOptions {
  readonly dir: string;
  readonly cluster?: string;
  readonly trustDomain?: string;
  readonly svidTtlMs?: number;
  readonly port?: number;
  readonly clock?: Clock;
  readonly limits?: Partial<FrontLimits>;
  /** Default 15 s. */
  readonly agentTtlMs?: number;
  readonly resolve?: (hostname: string) => Promise<readonly string[]>;
  /** Who connects back to what registers. Default: nobody. */
  readonly reach?: (parts: { instances: Instances; ledger: Ledger; source: SvidSource }) => ReachWatch;
  /** Besides join tokens; gone through anew at each request. */
  readonly attestors?: (parts: { store: Store; clock: Clock }) => Iterable<Attestor>;
  readonly extend?: (parts: { store: Store; authority: Authority; ledger: Ledger; front: GrpcFront; log: Log }) => void | Promise<void>;
}

/** A folder that goes with the test, after all that `onEnd` was told of later. */
export async function temporaryDir(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-'));
  onEnd(t, () => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** The identity half of a real control plane: CA, store, gRPC listener. */
export async function startControlPlane(options: TestControlPlaneOptions): Promise<TestControlPlane> {
  const { dir, cluster = 'east', trustDomain = 'mesh.test', svidTtlMs = 3_600_000, clock = systemClock } = options;
  const lines: string[] = [];
  const write = (fields: object, message: string) => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const log: Log = { ...silentLog, info: write, warn: write, error: write };
  const counter = createRefusalCounter(new Registry());
  const refusals = createRefusals(log, counter, clock);
  const store = await openEmbeddedStore({ dir: join(dir, 'store'), clock });
  const rootDir = join(dir, 'root');
  const exists = (await readIfThere(join(rootDir, 'root.pem'))) !== undefined;
  const root = exists ? await loadRoot(rootDir, trustDomain) : await caInit(rootDir, trustDomain, clock.now());
  const authority = await Authority.open({
    dir: join(dir, 'ca'),
    cluster,
    trustDomain,
    root,
    intermediateTtlMs: 90 * 86_400_000,
    clock,
    log,
  });
  const stopping = new AbortController();
  const source = ownSvidSource(authority, { ttlMs: svidTtlMs, clock, log, signal: stopping.signal });
  const ledger = new Ledger(store);
  const front = new GrpcFront({
    host: '127.0.0.1',
    port: options.port ?? 0,
    identity: { svid: source.current(), bundle: authority.bundle() },
    clock,
    log,
    refusals,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  source.subscribe(() => front.useIdentity({ svid: source.current(), bundle: source.bundle() }));
  const upkeep = keepAuthority({ authority, ledger, store, clock, log, signal: stopping.signal });
  const tokens = new JoinTokenAttestor(store, cluster, trustDomain);
  const others = options.attestors?.({ store, clock }) ?? [];
  const attestors = { [Symbol.iterator]: () => [tokens, ...others][Symbol.iterator]() };
  const issuance = new Issuance({ authority, ledger, attestors, svidTtlMs, clock, log, refusals });
  const jwtKeys = await JwtKeyRing.open({ dir: join(dir, 'ca'), cluster, clock, log });
  const jwt = new JwtIssuance({ cluster, trustDomain, keys: jwtKeys, ledger, attestors, clock, log, refusals });
  front.addService(
    IdentityService,
    identityServer({ issuance, authority, jwt, callerOf: (call) => front.callerOf(call), clock, log, refusals }),
  );
  const instances = new Instances(store);
  const presence = new Presence(store, randomUUID());
  const ttlMs = options.agentTtlMs ?? 15_000;
  const crowded = front.crowdedWithin.bind(front);
  const liveness = new Liveness({ instances, presence, ttlMs, crowded, clock, log });
  const callerOf = (call: CallLike) => front.callerOf(call);
  const sockets = new SocketReports({ store, clock, log });
  const refused = new RefusedRegistrations(refusals);
  const takeovers = new Takeovers({ instances, clock, log });
  const reach = options.reach === undefined ? {} : { reach: options.reach({ instances, ledger, source }) };
  front.addService(
    RegistrationService,
    registrationServer({ instances, liveness, ledger, callerOf, ttlMs, sockets, takeovers, refused, ...reach, clock, log }),
  );
  const background = [presence.keep(clock, log, stopping.signal), liveness.run(stopping.signal), sockets.run(stopping.signal)];
  const resolve = options.resolve ?? (async () => []);
  const list = new GatewayList({ store, instances, cluster: clusterId(cluster), trustDomain, resolve, resolveEveryMs: 50, clock, log });
  background.push(list.run(stopping.signal), upkeep);
  await options.extend?.({ store, authority, ledger, front, log });
  await front.start(stopping.signal);
  const address = `127.0.0.1:${front.port}`;
  return {
    store,
    authority,
    jwtKeys,
    ledger,
    front,
    source,
    address,
    lines,
    instances,
    sockets,
    refusedRegistrations: refused,
    gateways: list.gateways,
    async refused() {
      const { values } = await counter.get();
      return Object.fromEntries(values.map(({ labels, value }) => [`${labels.what} ${labels.reason}`, value]));
    },
    async token(claims = {}, request = {}) {
      const all: Claims = { role: 'workload', namespace: 'shop', serviceAccount: 'orders', services: [], addresses: [], ...claims };
      const made = await createToken(store, { ...request, claims: all }, clock.now());
      if (!made.ok) throw new Error(made.violations.map((each) => `${each.path} ${each.message}`).join());
      return formatJoinToken({ ...made.value, trustDomain, cluster, addresses: [address], root: root.certificate.der });
    },
    async stop() {
      if (stopping.signal.aborted) return;
      stopping.abort();
      await front.dispose();
      await Promise.all(background);
      await store.close();
    },
  };
}
