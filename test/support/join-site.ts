import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parserFor } from '../../control/assemble/objects.ts';
import { Authority, caInit, ownSvidSource, signIntermediate } from '../../control/ca/index.ts';
import { GrpcFront } from '../../control/grpc/index.ts';
import { ObjectSet } from '../../control/objects/object-set.ts';
import { createJoining, createPeering, type Joining, type Peering } from '../../control/peering/index.ts';
import { openEmbeddedStore } from '../../control/store/index.ts';
import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import { controlChannel, type SettableSvidSource } from '../../core/identity/index.ts';
import { silentLog } from '../../core/log.ts';
import { clusterId } from '../../core/model/index.ts';
import { generateKey, issueBootstrap } from '../../core/pki/index.ts';
import type { Store } from '../../core/store.ts';
import { systemClock } from '../../core/system-clock.ts';
import { peering as proto } from '../../core/xds/index.ts';
import { exportInputs, RecordingSink, type Services } from './peer-site.ts';

const day = 86_400_000;

export interface JoinSiteOptions {
  readonly cluster: string;
  readonly trustDomain?: string;
  /** It holds the root. */
  readonly root?: boolean;
  /** The root is there but cannot sign now. */
  readonly rootOffline?: boolean;
  /** Where it says it can be dialled; default its own listener; empty: not at all. */
  readonly addresses?: readonly string[];
  readonly clock?: Clock;
  /** Of a site that was stopped. */
  readonly dir?: string;
}

/** A control plane as far as joining and peering need it, put together as the composition root does. */
export class JoinSite {
  readonly cluster: string;
  readonly dir: string;
  readonly authority: Authority;
  readonly front: GrpcFront;
  readonly joining: Joining;
  readonly peering: Peering;
  readonly store: Store;
  readonly sink = new RecordingSink();
  readonly #stop: AbortController;
  readonly #running: Promise<void>;

  private constructor(
    parts: Pick<JoinSite, 'cluster' | 'dir' | 'authority' | 'front' | 'joining' | 'peering' | 'store'> & { sink: RecordingSink },
    stop: AbortController,
  ) {
    this.cluster = parts.cluster;
    this.dir = parts.dir;
    this.authority = parts.authority;
    this.front = parts.front;
    this.joining = parts.joining;
    this.peering = parts.peering;
    this.store = parts.store;
    this.sink = parts.sink;
    this.#stop = stop;
    this.#running = parts.joining.run(stop.signal);
  }

  static async start(options: JoinSiteOptions): Promise<JoinSite> {
    const { cluster, trustDomain = 'mesh.test', clock = systemClock } = options;
    const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'isthmus-join-')));
    const stop = new AbortController();
    const store = await openEmbeddedStore({ dir: join(dir, 'store'), clock: systemClock });
    const root = options.root === true ? await caInit(join(dir, 'root'), trustDomain, Date.now()) : undefined;
    const authority = await Authority.open({
      dir: join(dir, 'ca'),
      cluster,
      trustDomain,
      ...(root === undefined ? {} : { root }),
      intermediateTtlMs: day,
      clock: systemClock,
      log: silentLog,
    });
    const key = generateKey();
    const bootstrap = { certificate: issueBootstrap(key, 'isthmus.bootstrap', Date.now(), day).der, key };
    let svids: SettableSvidSource | undefined;
    const front = new GrpcFront({
      host: '127.0.0.1',
      port: 0,
      identity: { bootstrap, bundle: authority.bundle() },
      clock: systemClock,
      log: silentLog,
    });
    const identify = () => {
      if (!authority.ready || svids !== undefined) return;
      const source = ownSvidSource(authority, { ttlMs: 3_600_000, clock: systemClock, log: silentLog, signal: stop.signal });
      svids = source;
      const use = () => front.useIdentity({ svid: source.current(), bundle: source.bundle() });
      source.subscribe(use);
      use();
    };
    authority.subscribe(identify);
    await front.start(stop.signal);
    const address = `127.0.0.1:${front.port}`;
    const addresses = () => options.addresses ?? [address];
    const sink = new RecordingSink();
    const peering = createPeering({
      cluster: clusterId(cluster),
      version: 'test',
      addresses,
      store,
      sink,
      anchors: authority,
      objects: new ObjectSet(),
      parse: parserFor('mesh.test'),
      security: (peer) => {
        if (svids === undefined) throw new MeshError('IDENTITY_INVALID', 'not joined yet', { retryable: true });
        return controlChannel(svids, { cluster: peer, now: Date.now });
      },
      clock: systemClock,
      random: Math.random,
      log: silentLog,
      timing: { backoffBaseMs: 20, backoffMaxMs: 100 },
    });
    const joining = createJoining({
      authority,
      addresses,
      store,
      signIntermediate: async (csr, joiner) =>
        root === undefined || options.rootOffline === true ? undefined : signIntermediate(root, csr, joiner, Date.now(), day).der,
      presented: () => [svids?.current().chainDer[0] ?? bootstrap.certificate],
      onJoined: (record) => peering.added(record),
      clock,
      random: Math.random,
      log: silentLog,
    });
    front.addService(proto.PeerJoinService, joining.handlers);
    front.addService(
      proto.PeeringService,
      peering.handlers((call) => front.callerOf(call)),
    );
    identify();
    await peering.start(stop.signal);
    return new JoinSite({ cluster, dir, authority, front, joining, peering, store, sink }, stop);
  }

  get address(): string {
    return `127.0.0.1:${this.front.port}`;
  }

  export(services: Services): void {
    const { trustDomain } = this.authority;
    const own = this.authority.intermediate;
    const trust = { trustDomain, roots: [], intermediates: own === undefined ? [] : [own.der] };
    this.peering.updateExports(exportInputs(this.cluster, services, { trust }), undefined);
  }

  async stop(keep = false): Promise<void> {
    this.#stop.abort();
    await Promise.all([this.#running, this.peering.done]);
    await this.front.dispose();
    await this.store.close();
    if (!keep) await rm(this.dir, { recursive: true, force: true });
  }
}
