import { randomUUID } from 'node:crypto';
import type { Instance } from '../../core/admin/index.ts';
import type { Clock } from '../../core/clock.ts';
import type { MeshSpec } from '../../core/config/index.ts';
import { toMeshError } from '../../core/errors.ts';
import { isAborted, runGroup } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import type { Store } from '../../core/store.ts';
import { bundleSecretName } from '../../core/xds/envoy/index.ts';
import type { peering } from '../../core/xds/index.ts';
import type { AuthorityApi } from '../admin/index.ts';
import { type Authority, HttpSigner, RootFolder, RotationDriver, TrustKeeper } from '../ca/index.ts';
import { Leadership, type Term } from '../leadership/index.ts';
import type { RotationWords } from '../peering/index.ts';
import { authorityApi } from './authority-api.ts';
import type { GrpcServices } from './grpc-services.ts';
import type { JwtHome } from './jwt-svids.ts';

/** Until another replica takes over from one that died. */
const leaderTtlMs = 10_000;
const stepMs = 500;

/** What is asked of peering. */
interface RotationPeers {
  report(): readonly { readonly cluster: string; readonly state: string }[];
  /** What peers are to be told has changed. */
  trustChanged(): void;
}

export interface RotationHomeOptions {
  readonly mesh: MeshSpec;
  readonly authority: Authority;
  readonly jwt: JwtHome;
  readonly services: GrpcServices;
  readonly store: Store;
  /** Asked late: peering is told by this what to say. */
  readonly peers: () => RotationPeers;
  /** Everybody who attested. */
  readonly instances: () => Promise<readonly Instance[]>;
  readonly clock: Clock;
  /** [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

/** The rotation of roots, joined with what it asks and tells: clients, peers, the API. */
export class RotationHome {
  readonly api: AuthorityApi;
  readonly #options: RotationHomeOptions;
  readonly #keeper: TrustKeeper;
  readonly #driver: RotationDriver;
  readonly #leadership: Leadership;

  constructor(options: RotationHomeOptions) {
    this.#options = options;
    const { mesh, authority, services, store, peers, clock, log } = options;
    const { rootDir, svidTtlMs, intermediateTtlMs } = mesh.identity;
    this.#keeper = new TrustKeeper({
      authority,
      ledger: services.ledger,
      clients: () => this.#clients(),
      reports: () => services.roots.current(),
      own: () => services.front.roots.report().map((use) => ({ ...use, root: Buffer.from(use.root).toString('hex') })),
      peers: () =>
        peers()
          .report()
          .map(({ cluster, state }) => ({ cluster, connected: state === 'connected' })),
      onWords: () => peers().trustChanged(),
      intermediateTtlMs,
      ...externalOf(options),
      quietMs: Math.min(10_000, svidTtlMs / 4),
      clock,
      log,
    });
    const folder = rootDir === undefined ? undefined : new RootFolder(rootDir, mesh.trustDomain);
    const progress = () => this.#keeper.progress();
    const holders = async () => [...(await services.ledger.issued(clock.now())), ...this.#clients()].map(({ name }) => name);
    this.#driver = new RotationDriver({ authority, store, folder, progress, holders, clock, log });
    const sole = mesh.store.kind === 'embedded';
    this.#leadership = new Leadership({ store, clock, log, name: 'rotation', replica: randomUUID(), ttlMs: leaderTtlMs, sole });
    const { jwt, instances } = options;
    this.api = authorityApi({ authority, jwt, driver: this.#driver, keeper: this.#keeper, instances, svidTtlMs, clock });
  }

  words(): RotationWords {
    return this.#keeper.words();
  }

  heard(cluster: string, trust: peering.PeerTrust | undefined): void {
    this.#keeper.heard(cluster, trust);
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const driven = this.#options.mesh.identity.rootDir !== undefined;
    const drive = (inner: AbortSignal) => this.#leadership.run((term) => this.#drive(term), inner);
    await runGroup(signal, [(inner) => this.#keeper.run(inner), ...(driven ? [drive] : [])]);
  }

  async #drive(term: Term): Promise<void> {
    const { clock, log } = this.#options;
    let said = '';
    while (!term.signal.aborted) {
      try {
        await this.#driver.step([term.fence]);
        said = '';
      } catch (error) {
        const { message } = toMeshError(error);
        if (message !== said && !isAborted(error)) log.error({ error: message }, 'the rotation of the root does not go on');
        said = message;
      }
      await clock.sleep(stepMs, term.signal).catch(() => undefined);
    }
  }

  #clients() {
    const { services, mesh } = this.#options;
    const isTrust = (name: string) => name === mesh.trustDomain || name === bundleSecretName || name.startsWith(`${bundleSecretName}|`);
    const behind = new Set(services.xds.behindOn(isTrust));
    return services.xds.clients().map(({ id }) => ({ name: clientName(id), behind: behind.has(id) }));
  }
}

function externalOf({ mesh, clock, random, log }: RotationHomeOptions): { readonly external?: HttpSigner } {
  const { signer, intermediateTtlMs: ttlMs } = mesh.identity;
  const { cluster, trustDomain } = mesh;
  return signer === undefined ? {} : { external: new HttpSigner({ ...signer, cluster, trustDomain, ttlMs, clock, random, log }) };
}

/** `spiffe://TD/ns/NS/sa/SA#INSTANCE` as a holder's name. */
function clientName(id: string): string {
  const [, namespace = '', serviceAccount = '', instance = ''] = /\/ns\/([^/]+)\/sa\/([^#]+)#(.*)$/.exec(id) ?? [];
  return `${namespace}/${serviceAccount}/${instance}`;
}
