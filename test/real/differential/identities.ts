import { join } from 'node:path';
import { loadRoot } from '../../../control/ca/index.ts';
import { clusterSan, formatSpiffeId } from '../../../core/model/index.ts';
import { generateKey, type Issuer, issueIntermediate, issueLeafWithNames, issueRoot, spkiOf } from '../../../core/pki/index.ts';
import type { ShownIdentity } from './clients/mtls-call.ts';
import { trustDomain } from './isthmus.ts';
import type { Site } from './site.ts';

const hour = 3_600_000;

export interface LeafNames {
  readonly uris: readonly string[];
  readonly dns: readonly string[];
}

export const workload = (namespace: string, serviceAccount: string, domain = trustDomain): string =>
  formatSpiffeId({ trustDomain: domain, namespace, serviceAccount });

/** Whatever a compromised or mistaken signer of the trust domain could make, and one of another root. */
export class Forge {
  readonly #root: Issuer;
  readonly #signers = new Map<string, Issuer>();

  private constructor(root: Issuer) {
    this.#root = root;
  }

  /** With the root that lies at `site`. */
  static async at(site: Site): Promise<Forge> {
    return new Forge(await loadRoot(join(site.folder, 'root'), trustDomain));
  }

  /** Signed by an intermediate that a root gave to cluster `signer`. */
  leaf(signer: string, names: LeafNames, { foreign = false, expired = false } = {}): ShownIdentity {
    const issuer = this.#signer(signer, foreign);
    const key = generateKey();
    const leaf = issueLeafWithNames(issuer, spkiOf(key), names, expired ? Date.now() - 2 * hour : Date.now(), hour);
    return { chain: [leaf.der, issuer.certificate.der], key };
  }

  /** As its control plane would sign it. */
  svid(cluster: string, namespace: string, serviceAccount: string): ShownIdentity {
    return this.leaf(cluster, { uris: [workload(namespace, serviceAccount)], dns: [clusterSan(cluster, trustDomain)] });
  }

  #signer(cluster: string, foreign: boolean): Issuer {
    const id = `${cluster} ${foreign}`;
    const known = this.#signers.get(id);
    if (known !== undefined) return known;
    const key = generateKey();
    const began = Date.now() - 12 * hour;
    const root = foreign ? foreignRoot(began) : this.#root;
    const issuer = { key, certificate: issueIntermediate(root, spkiOf(key), cluster, trustDomain, began, 24 * hour) };
    this.#signers.set(id, issuer);
    return issuer;
  }
}

function foreignRoot(now: number): Issuer {
  const key = generateKey();
  return { key, certificate: issueRoot(key, trustDomain, now, 48 * hour) };
}
