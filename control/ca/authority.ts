import { MeshError } from '../../core/errors.ts';
import { clusterSan, type SpiffeId } from '../../core/model/index.ts';
import {
  type Certificate,
  createCsr,
  fingerprintOf,
  generateKey,
  type Issuer,
  issueIntermediate,
  spkiOf,
  type TrustBundle,
} from '../../core/pki/index.ts';
import type { peering } from '../../core/xds/index.ts';
import { assembleBundle } from './assemble-bundle.ts';
import type { AuthorityOptions, IssuedChain, PeerAnchors } from './authority-options.ts';
import { Denials } from './denials.ts';
import { issueChain } from './issue-chain.ts';
import { KeyFiles, type LoadedKeys } from './key-files.ts';
import { readOffered } from './offered-intermediate.ts';
import { intermediateFault, PeerIntermediates } from './peer-intermediates.ts';
import type { Root } from './root.ts';
import { rootOver } from './rotation/statement.ts';
import { TrustedRoots } from './rotation/trusted-roots.ts';

/**
 * The certificate authority of one cluster: holds its intermediate, issues SVIDs, and assembles what the cluster trusts. Everything that
 * changes its keys or its roots is durable before it is used. `open` resolves without an intermediate where there is no root yet: then `ready` is
 * false and it issues nothing.
 */
export class Authority {
  readonly cluster: string;
  readonly trustDomain: string;
  /** The roots that count; `believe` and `dropRoots` change them. */
  readonly trust: TrustedRoots;
  readonly #options: AuthorityOptions;
  readonly #files: KeyFiles;
  readonly #listeners = new Set<() => void>();
  readonly #peers: PeerIntermediates;
  #online: readonly Root[];
  #intermediate: Issuer | undefined;
  #staged: Issuer | undefined;
  #previous: readonly Certificate[];
  readonly #denials = new Denials();
  #bundle: TrustBundle | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: AuthorityOptions, files: KeyFiles, loaded: LoadedKeys) {
    this.cluster = options.cluster;
    this.trustDomain = options.trustDomain;
    this.#options = options;
    this.#files = files;
    this.#online = options.online ?? (options.root === undefined ? [] : [options.root]);
    this.trust = new TrustedRoots(options.trustDomain, files, loaded.trust);
    this.#peers = new PeerIntermediates(options.cluster, options.trustDomain);
    this.#intermediate = loaded.intermediate;
    this.#staged = loaded.staged;
    this.#previous = loaded.previous;
  }

  /** MeshError IDENTITY_INVALID when what lies in `dir` is of another cluster or trust domain, CONFLICT when it is of another root. */
  static async open(options: AuthorityOptions): Promise<Authority> {
    const files = new KeyFiles(options.dir);
    const authority = new Authority(options, files, await files.load());
    const { trust } = authority;
    const online = authority.#online.map((root) => root.certificate);
    if (online.length > 0 && trust.roots.length > 0 && !online.some((root) => trust.roots.some((known) => known.der.equals(root.der)))) {
      throw new MeshError(
        'CONFLICT',
        `the root that is online is not the one in ${options.dir}/roots.pem, which this cluster's peers trust`,
      );
    }
    if (trust.roots.length === 0) trust.adopt(options.pinned ?? online.slice(0, 1));
    const { certificate } = authority.#intermediate ?? {};
    const fault = certificate === undefined ? undefined : authority.#fault(certificate);
    if (fault !== undefined) throw new MeshError('IDENTITY_INVALID', `${options.dir}/intermediate.pem: ${fault}`);
    if (authority.#staged !== undefined && authority.#fault(authority.#staged.certificate) !== undefined) authority.#staged = undefined;
    if (authority.#online.length > 0) await authority.rotateIfDue();
    return authority;
  }

  /** Whether it can issue. */
  get ready(): boolean {
    return this.#intermediate !== undefined && this.#intermediate.certificate.notAfter > this.#options.clock.now();
  }

  /** The signing certificate in use. */
  get intermediate(): Certificate | undefined {
    return this.#intermediate?.certificate;
  }

  /** The next one, announced and not signing yet. */
  get staged(): Certificate | undefined {
    return this.#staged?.certificate;
  }

  /** Roots whose keys are here. */
  get online(): readonly Root[] {
    return this.#online;
  }

  /** The root that signs in this trust domain, by its fingerprint; undefined: nobody has said, and any that counts will do. */
  get signingRoot(): string | undefined {
    return this.trust.latest?.signing;
  }

  /** The one that signs, where its key is here. */
  get signer(): Root | undefined {
    const { signingRoot } = this;
    const counts = (root: Root) => this.trust.roots.some((known) => known.der.equals(root.certificate.der));
    return this.#online.find((root) => counts(root) && (signingRoot === undefined || fingerprintOf(root.certificate) === signingRoot));
  }

  useOnline(roots: readonly Root[]): void {
    this.#online = roots;
  }

  /**
   * A chain (leaf, intermediate) for a key that has proven its possession. Lives `ttlMs`, never longer than the intermediate. MeshError
   * CONFIG_INVALID for a lifetime out of bounds, IDENTITY_INVALID when it can't issue (yet).
   */
  issueSvid(spki: Uint8Array, id: SpiffeId, ttlMs: number): IssuedChain {
    return issueChain(this.#intermediate, this.cluster, this.trustDomain, { spki, id, ttlMs, now: this.#options.clock.now() });
  }

  /** Whether its signing certificate is missing, past half of its life, or under a root that does not sign any more. */
  get due(): boolean {
    const certificate = (this.#staged ?? this.#intermediate)?.certificate;
    if (certificate === undefined) return true;
    const { signingRoot } = this;
    if (signingRoot !== undefined && rootOver(certificate, this.trust.roots) !== signingRoot) return true;
    return this.#options.clock.now() > (certificate.notBefore + certificate.notAfter) / 2;
  }

  /** A request for this cluster's next intermediate. The same key until one is installed. */
  async intermediateCsr(): Promise<Buffer> {
    return createCsr(await this.#files.pendingKey(), { dns: [clusterSan(this.cluster, this.trustDomain)], commonName: this.cluster });
  }

  /**
   * Takes what a root signed for `intermediateCsr`'s key; `roots` count from now on where none did. Durable, then in use. MeshError IDENTITY_INVALID,
   * and nothing changed, when it is for another key, cluster or trust domain, or chains to none that counts; CONFLICT when this cluster has a
   * root that is not among `roots`.
   */
  async installIntermediate(certificate: Uint8Array, roots: readonly Uint8Array[]): Promise<void> {
    const san = clusterSan(this.cluster, this.trustDomain);
    const offered = readOffered(certificate, roots, this.trust.roots, san, this.#options.clock.now());
    const key = await this.#files.pendingKey();
    if (!spkiOf(key).equals(offered.certificate.spki))
      throw new MeshError('IDENTITY_INVALID', 'the signing certificate is for another key than the one requested');
    this.trust.adopt(offered.roots);
    await this.#take({ key, certificate: offered.certificate });
  }

  /** A new intermediate from the root that is online here. The old one stays trusted until it expires. */
  async rotate(): Promise<void> {
    const root = this.signer;
    const { intermediateTtlMs, clock } = this.#options;
    if (root === undefined) throw new MeshError('IDENTITY_INVALID', 'the root is not online here: sign the request with isthmus ca sign');
    const key = generateKey();
    const certificate = issueIntermediate(root, spkiOf(key), this.cluster, this.trustDomain, clock.now(), intermediateTtlMs);
    await this.#take({ key, certificate });
  }

  /** What was announced signs from now on. Durable, then in use; nothing where nothing is. */
  async activate(): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#staged !== undefined) await this.#install(this.#staged);
    });
  }

  /** To be called now and then: rotates at half-life, or to another root, where the root is online; warns at the last third where it is not. */
  async maintain(): Promise<void> {
    if (await this.rotateIfDue()) return;
    const { clock, log } = this.#options;
    const certificate = (this.#staged ?? this.#intermediate)?.certificate;
    if (this.signer !== undefined || certificate === undefined) return;
    const left = (certificate.notAfter - clock.now()) / (certificate.notAfter - certificate.notBefore);
    if (left < 1 / 3)
      log.error(
        { notAfter: new Date(certificate.notAfter).toISOString() },
        'the signing certificate of this cluster ends soon and no root is online: run isthmus ca request, isthmus ca sign and isthmus ca install',
      );
  }

  /** At half-life, or to another root, where the root is online; resolves with whether it was due. */
  rotateIfDue(): Promise<boolean> {
    return this.#inTurn(async () => {
      if (this.signer === undefined || !this.due) return false;
      await this.rotate();
      return true;
    });
  }

  /** Takes statements of the trust domain's roots that are to be believed; durable when it resolves. Returns why newer ones are not. */
  async believe(statements: readonly peering.TrustStatement[]): Promise<readonly string[]> {
    const { changed, faults } = await this.trust.admit(statements, this.#options.clock.now());
    if (changed) this.#rootsChanged();
    return faults;
  }

  /** Lets go of roots that the last statement leaves out, and of what is under them. */
  async dropRoots(fingerprints: readonly string[]): Promise<void> {
    if (!(await this.trust.drop(fingerprints))) return;
    this.#previous = this.#previous.filter((each) => this.#fault(each) === undefined);
    await this.#files.savePrevious(this.#previous);
    this.#rootsChanged();
  }

  /** What this cluster trusts; the same object until something changes. */
  bundle(): TrustBundle {
    this.#bundle ??= this.#assemble();
    return this.#bundle;
  }

  /** Called after each change of the bundle or the intermediate. Returns its undoing. */
  subscribe(listener: () => void): () => void {
    const entry = () => listener();
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  /** Replaces what a peer signs with; returns why entries were refused. Undefined anchors: the peer is gone. */
  setPeer(cluster: string, anchors: PeerAnchors | undefined): readonly string[] {
    const faults = [
      ...this.#peers.set(cluster, anchors?.intermediates, this.trust.roots),
      ...this.#denials.setPeer(cluster, anchors?.denied ?? []),
    ];
    this.#changed();
    return faults;
  }

  /** What this cluster has taken back of what it issued. */
  get denied(): readonly string[] {
    return this.#denials.own;
  }

  /** In force when it returns; resolves when it has been written for backups, or could not be, which is logged. */
  setDenied(serials: readonly string[]): Promise<void> {
    const sorted = [...serials].sort();
    if (sorted.join() === this.#denials.own.join()) return Promise.resolve();
    this.#denials.own = sorted;
    const written = this.#files
      .saveDenied(sorted)
      .catch((error: unknown) => this.#options.log.error({ error }, 'denied serials could not be written for backups'));
    this.#changed();
    return written;
  }

  #assemble(): TrustBundle {
    const current = [this.#intermediate, this.#staged].flatMap((issuer) => issuer?.certificate ?? []);
    return assembleBundle({
      trustDomain: this.trustDomain,
      cluster: this.cluster,
      roots: this.trust.roots,
      own: [...current, ...this.#previous],
      peers: this.#peers.taken,
      denied: this.#denials.all(),
      rotated: this.signingRoot !== undefined,
    });
  }

  async #take(issuer: Issuer): Promise<void> {
    if (this.#options.announceFirst !== true || !this.ready) return this.#install(issuer);
    await this.#files.stage(issuer, this.trust.stored);
    this.#staged = issuer;
    this.#options.log.info({ serial: issuer.certificate.serial }, 'the next signing certificate is announced');
    this.#changed();
  }

  async #install(intermediate: Issuer): Promise<void> {
    const now = this.#options.clock.now();
    const old = this.#intermediate === undefined ? [] : [this.#intermediate.certificate];
    const previous = [...old, ...this.#previous].filter((each) => each.notAfter > now && this.#fault(each) === undefined);
    await this.#files.install(intermediate, previous, this.trust.stored);
    this.#previous = previous;
    this.#intermediate = intermediate;
    this.#staged = undefined;
    const { serial, notAfter } = intermediate.certificate;
    this.#options.log.info({ serial, notAfter }, 'signing certificate installed');
    this.#changed();
  }

  #fault(certificate: Certificate, roots = this.trust.roots): string | undefined {
    return intermediateFault(certificate, roots, clusterSan(this.cluster, this.trustDomain));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  #rootsChanged(): void {
    this.#peers.judge(this.trust.roots);
    this.#changed();
  }

  #changed(): void {
    this.#bundle = undefined;
    for (const listener of [...this.#listeners]) listener();
  }
}
