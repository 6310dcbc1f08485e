import { clusterSan } from '../../core/model/index.ts';
import { type Certificate, issuerFault, parseCertificate, signedBy } from '../../core/pki/index.ts';

/** Why a signing certificate vouches for nobody of the cluster whose SAN is `san`; undefined: it does, under one of these roots. */
export function intermediateFault(certificate: Certificate, roots: readonly Certificate[], san: string): string | undefined {
  if (!roots.some((root) => signedBy(certificate, root))) return 'it does not chain to a root of this trust domain';
  return issuerFault(certificate, san);
}

/** What each peer says that it signs with. Judged anew when the roots change: what came before its root counts from then on. */
export class PeerIntermediates {
  readonly #trustDomain: string;
  readonly #own: string;
  readonly #offered = new Map<string, readonly Certificate[]>();
  #taken: readonly { readonly cluster: string; readonly certificate: Buffer }[] = [];

  constructor(own: string, trustDomain: string) {
    this.#own = own;
    this.#trustDomain = trustDomain;
  }

  /** Undefined: the peer is gone. Returns why entries do not count. */
  set(cluster: string, offered: readonly Uint8Array[] | undefined, roots: readonly Certificate[]): readonly string[] {
    const certificates = (offered ?? []).flatMap((der) => {
      const parsed = parseCertificate(der);
      return parsed.ok ? [parsed.value] : [];
    });
    if (certificates.length === 0) this.#offered.delete(cluster);
    else this.#offered.set(cluster, certificates);
    this.judge(roots);
    return certificates.flatMap((certificate) => this.#fault(cluster, certificate, roots) ?? []);
  }

  judge(roots: readonly Certificate[]): void {
    this.#taken = [...this.#offered].flatMap(([cluster, list]) =>
      list.filter((each) => this.#fault(cluster, each, roots) === undefined).map(({ der }) => ({ cluster, certificate: der })),
    );
  }

  get taken(): readonly { readonly cluster: string; readonly certificate: Buffer }[] {
    return this.#taken;
  }

  #fault(cluster: string, certificate: Certificate, roots: readonly Certificate[]): string | undefined {
    if (cluster === this.#own) return 'a peer cannot speak for this cluster';
    return intermediateFault(certificate, roots, clusterSan(cluster, this.#trustDomain));
  }
}
