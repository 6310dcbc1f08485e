import type { KeyObject } from 'node:crypto';
import { makeSvid, SettableSvidSource, type Svid } from '../../core/identity/index.ts';
import {
  bundleOf,
  generateKey,
  type Issuer,
  issueIntermediate,
  issueLeaf,
  issueLeafWithNames,
  issueRoot,
  spkiOf,
  type TrustBundle,
} from '../../core/pki/index.ts';

const hour = 3_600_000;

/** A trust domain with a real root, and an intermediate for each cluster that a test asks for. */
export class MeshPki {
  readonly trustDomain: string;
  readonly root: Issuer;
  readonly bundle: TrustBundle;
  readonly #clusters = new Map<string, Issuer>();
  readonly #now: () => number;

  constructor(trustDomain = 'mesh.test', now: () => number = Date.now) {
    this.trustDomain = trustDomain;
    this.#now = now;
    const key = generateKey();
    this.root = { key, certificate: issueRoot(key, trustDomain, now(), 24 * hour) };
    this.bundle = bundleOf(trustDomain, [this.root.certificate.der]);
  }

  cluster(name: string): Issuer {
    const known = this.#clusters.get(name);
    if (known !== undefined) return known;
    const key = generateKey();
    const issuer = { key, certificate: issueIntermediate(this.root, spkiOf(key), name, this.trustDomain, this.#now(), 12 * hour) };
    this.#clusters.set(name, issuer);
    return issuer;
  }

  svid(cluster: string, namespace: string, serviceAccount: string, options: { lifetimeMs?: number; now?: number } = {}): Svid {
    const issuer = this.cluster(cluster);
    const key = generateKey();
    const id = { trustDomain: this.trustDomain, namespace, serviceAccount };
    const leaf = issueLeaf(issuer, spkiOf(key), id, cluster, options.now ?? this.#now(), options.lifetimeMs ?? hour);
    return this.#svid([leaf.der, issuer.certificate.der], key);
  }

  source(cluster: string, namespace: string, serviceAccount: string): SettableSvidSource {
    return new SettableSvidSource(this.svid(cluster, namespace, serviceAccount), this.bundle);
  }

  /** A chain with whatever names, signed by that cluster's intermediate: what a compromised control plane could make. */
  forged(signer: string, names: { uris: readonly string[]; dns: readonly string[] }): { chain: Buffer[]; key: KeyObject } {
    const issuer = this.cluster(signer);
    const key = generateKey();
    const leaf = issueLeafWithNames(issuer, spkiOf(key), names, this.#now(), hour);
    return { chain: [leaf.der, issuer.certificate.der], key };
  }

  #svid(chain: readonly Buffer[], key: KeyObject): Svid {
    const made = makeSvid(chain, key);
    if (!made.ok) throw new Error(made.violations[0]?.message);
    return made.value;
  }
}
