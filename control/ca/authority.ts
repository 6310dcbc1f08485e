import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { clusterSan, type SpiffeId } from '../../core/model/index.ts';
import {
  type Certificate,
  createCsr,
  generateKey,
  type Issuer,
  issueIntermediate,
  issueLeaf,
  issuerFault,
  parseCertificate,
  signedBy,
  spkiOf,
  type TrustBundle,
} from '../../core/pki/index.ts';
import { KeyFiles } from './key-files.ts';
import { checkSvidTtl } from './lifetime.ts';
import type { Root } from './root.ts';

export interface AuthorityOptions {
  /** stateDir/ca. */
  readonly dir: string;
  readonly cluster: string;
  readonly trustDomain: string;
  /** Absent: this cluster can't sign intermediates; it joins another, or waits for `isthmus ca sign`. */
  readonly root?: Root;
  readonly intermediateTtlMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** What peers say of their trust. */
export interface PeerAnchors {
  readonly intermediates: readonly Uint8Array[];
}

/**
 * The certificate authority of one cluster: holds its intermediate, issues SVIDs, and assembles what the cluster trusts. Everything that
 * changes its keys is durable before it is used. `open` resolves without an intermediate where there is no root yet: then `ready` is
 * false and it issues nothing.
 */
export class Authority {
  readonly cluster: string;
  readonly trustDomain: string;
  readonly #options: AuthorityOptions;
  readonly #files: KeyFiles;
  readonly #listeners = new Set<() => void>();
  readonly #peers = new Map<string, readonly Certificate[]>();
  #intermediate: Issuer | undefined;
  #previous: readonly Certificate[] = [];
  #roots: readonly Certificate[] = [];
  #denied: readonly string[] = [];
  #bundle: TrustBundle | undefined;

  private constructor(options: AuthorityOptions) {
    this.cluster = options.cluster;
    this.trustDomain = options.trustDomain;
    this.#options = options;
    this.#files = new KeyFiles(options.dir);
  }

  /** MeshError IDENTITY_INVALID when what lies in `dir` is of another cluster or trust domain, CONFLICT when it is of another root. */
  static async open(options: AuthorityOptions): Promise<Authority> {
    const authority = new Authority(options);
    const { intermediate, previous, roots } = await authority.#files.load();
    const { root } = options;
    if (root !== undefined && roots.length > 0 && !roots.some((known) => known.der.equals(root.certificate.der))) {
      throw new MeshError(
        'CONFLICT',
        `the root that is online is not the one in ${options.dir}/roots.pem, which this cluster's peers trust`,
      );
    }
    authority.#roots = mergeCertificates(roots, root === undefined ? [] : [root.certificate]);
    authority.#previous = previous;
    if (intermediate !== undefined) {
      const fault = authority.#fault(intermediate.certificate, authority.#roots);
      if (fault !== undefined) throw new MeshError('IDENTITY_INVALID', `${options.dir}/intermediate.pem: ${fault}`);
      authority.#intermediate = intermediate;
    }
    if (authority.#needsRotation()) await authority.rotate();
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

  /**
   * A chain (leaf, intermediate) for a key that has proven its possession. Lives `ttlMs`, never longer than the intermediate. MeshError
   * CONFIG_INVALID for a lifetime out of bounds, IDENTITY_INVALID when it can't issue (yet).
   */
  issueSvid(spki: Uint8Array, id: SpiffeId, ttlMs: number): { readonly chain: readonly Buffer[]; readonly leaf: Certificate } {
    const ttl = checkSvidTtl(ttlMs, this.trustDomain);
    if (!ttl.ok) throw new MeshError('CONFIG_INVALID', ttl.violations[0]?.message ?? 'lifetime');
    if (id.trustDomain !== this.trustDomain) throw new MeshError('PERMISSION_DENIED', `no identity of ${id.trustDomain} is issued here`);
    const now = this.#options.clock.now();
    const issuer = this.#intermediate;
    if (issuer === undefined)
      throw new MeshError('IDENTITY_INVALID', 'this cluster has no signing certificate yet: join a peer, or run isthmus ca sign', {
        retryable: true,
      });
    if (issuer.certificate.notAfter <= now)
      throw new MeshError('IDENTITY_INVALID', 'the signing certificate of this cluster has expired: run isthmus ca sign');
    const leaf = issueLeaf(issuer, spki, id, this.cluster, now, ttl.value);
    return { chain: [leaf.der, issuer.certificate.der], leaf };
  }

  /** A request for this cluster's next intermediate. The same key until one is installed. */
  async intermediateCsr(): Promise<Buffer> {
    return createCsr(await this.#files.pendingKey(), { dns: [clusterSan(this.cluster, this.trustDomain)], commonName: this.cluster });
  }

  /**
   * Takes what a root signed for `intermediateCsr`'s key. Durable, then in use. MeshError IDENTITY_INVALID, and nothing changed, when it is for
   * another key, cluster or trust domain, or chains to none of `roots`; CONFLICT when this cluster has a root that is not among them.
   */
  async installIntermediate(certificate: Uint8Array, roots: readonly Uint8Array[]): Promise<void> {
    const parsed = parseCertificate(certificate);
    if (!parsed.ok) throw new MeshError('IDENTITY_INVALID', parsed.violations[0]?.message ?? 'not a certificate');
    const offered = parseAll(roots);
    if (this.#roots.length > 0 && !offered.some((root) => this.#roots.some((own) => own.der.equals(root.der)))) {
      throw new MeshError('CONFLICT', 'this cluster has a root of its own: trust domains are federated, not merged');
    }
    const anchors = mergeCertificates(this.#roots, offered);
    const fault = this.#fault(parsed.value, anchors);
    if (fault !== undefined) throw new MeshError('IDENTITY_INVALID', `the signing certificate is refused: ${fault}`);
    const key = await this.#files.pendingKey();
    if (!spkiOf(key).equals(parsed.value.spki))
      throw new MeshError('IDENTITY_INVALID', 'the signing certificate is for another key than the one requested');
    await this.#install({ key, certificate: parsed.value }, anchors);
  }

  /** A new intermediate from the root that is online here. The old one stays trusted until it expires. */
  async rotate(): Promise<void> {
    const { root, intermediateTtlMs, clock } = this.#options;
    if (root === undefined) throw new MeshError('IDENTITY_INVALID', 'the root is not online here: sign the request with isthmus ca sign');
    const key = generateKey();
    const certificate = issueIntermediate(root, spkiOf(key), this.cluster, this.trustDomain, clock.now(), intermediateTtlMs);
    await this.#install({ key, certificate }, this.#roots);
  }

  /** To be called now and then (hourly): rotates at half-life where the root is online, warns at the last third where it is not. */
  async maintain(): Promise<void> {
    if (this.#needsRotation()) return this.rotate();
    const { clock, log, root } = this.#options;
    const certificate = this.#intermediate?.certificate;
    if (root !== undefined || certificate === undefined) return;
    const left = (certificate.notAfter - clock.now()) / (certificate.notAfter - certificate.notBefore);
    if (left < 1 / 3)
      log.error(
        { notAfter: certificate.notAfter },
        'the signing certificate of this cluster ends soon and no root is online: run isthmus ca sign',
      );
  }

  /** What this cluster trusts; the same object until something changes. */
  bundle(): TrustBundle {
    const own = [...(this.#intermediate === undefined ? [] : [this.#intermediate.certificate]), ...this.#previous];
    this.#bundle ??= {
      trustDomain: this.trustDomain,
      roots: this.#roots.map((root) => root.der),
      intermediates: [
        ...own.map((certificate) => ({ cluster: this.cluster, certificate: certificate.der })),
        ...[...this.#peers].flatMap(([cluster, list]) => list.map((certificate) => ({ cluster, certificate: certificate.der }))),
      ],
      deniedSerials: this.#denied,
    };
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
    const san = clusterSan(cluster, this.trustDomain);
    const faults: string[] = [];
    const good = parseAll(anchors?.intermediates ?? []).filter((certificate) => {
      const fault = cluster === this.cluster ? 'a peer cannot speak for this cluster' : this.#chainFault(certificate, this.#roots, san);
      if (fault !== undefined) faults.push(fault);
      return fault === undefined;
    });
    if (good.length === 0) this.#peers.delete(cluster);
    else this.#peers.set(cluster, good);
    this.#changed();
    return faults;
  }

  setDenied(serials: readonly string[]): void {
    this.#denied = [...serials].sort();
    this.#changed();
  }

  #needsRotation(): boolean {
    if (this.#options.root === undefined) return false;
    const certificate = this.#intermediate?.certificate;
    return certificate === undefined || this.#options.clock.now() > (certificate.notBefore + certificate.notAfter) / 2;
  }

  async #install(intermediate: Issuer, roots: readonly Certificate[]): Promise<void> {
    const now = this.#options.clock.now();
    const old = this.#intermediate === undefined ? [] : [this.#intermediate.certificate];
    const previous = [...old, ...this.#previous].filter((certificate) => certificate.notAfter > now);
    await this.#files.install(intermediate, previous, roots);
    this.#previous = previous;
    this.#roots = roots;
    this.#intermediate = intermediate;
    this.#options.log.info(
      { serial: intermediate.certificate.serial, notAfter: intermediate.certificate.notAfter },
      'signing certificate installed',
    );
    this.#changed();
  }

  #fault(certificate: Certificate, roots: readonly Certificate[]): string | undefined {
    return this.#chainFault(certificate, roots, clusterSan(this.cluster, this.trustDomain));
  }

  #chainFault(certificate: Certificate, roots: readonly Certificate[], san: string): string | undefined {
    if (!roots.some((root) => signedBy(certificate, root))) return 'it does not chain to a root of this trust domain';
    return issuerFault(certificate, san);
  }

  #changed(): void {
    this.#bundle = undefined;
    for (const listener of [...this.#listeners]) listener();
  }
}

function parseAll(ders: readonly Uint8Array[]): Certificate[] {
  return ders.flatMap((der) => {
    const parsed = parseCertificate(der);
    return parsed.ok ? [parsed.value] : [];
  });
}

function mergeCertificates(a: readonly Certificate[], b: readonly Certificate[]): Certificate[] {
  return [...a, ...b.filter((each) => !a.some((known) => known.der.equals(each.der)))];
}
