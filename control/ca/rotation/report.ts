import { fingerprintOf, parseCertificate, type TrustBundle } from '../../../core/pki/index.ts';
import { peering } from '../../../core/xds/index.ts';
import type { IssuedSvid } from '../ledger.ts';
import type { ClusterProgress } from './advance.ts';
import type { HeldSvid, Laggard } from './awareness.ts';
import { rootOver } from './statement.ts';

const mostListed = 32;

/** Fingerprints of what a bundle holds. */
export function certificatesOf(bundle: TrustBundle): { readonly roots: readonly string[]; readonly intermediates: readonly string[] } {
  const fingerprints = (ders: readonly Uint8Array[]) =>
    ders.flatMap((der) => {
      const parsed = parseCertificate(der);
      return parsed.ok ? [fingerprintOf(parsed.value)] : [];
    });
  return { roots: fingerprints(bundle.roots), intermediates: fingerprints(bundle.intermediates.map((each) => each.certificate)) };
}

/** Under which root each SVID is that was issued here and has not ended, and of those that somebody goes by the newest of each holder. `cluster`: this one. Pure. */
export function heldSvids(
  issued: readonly IssuedSvid[],
  bundle: TrustBundle,
  cluster: string,
): { readonly issued: readonly HeldSvid[]; readonly held: readonly HeldSvid[] } {
  const parsed = (der: Uint8Array) => {
    const certificate = parseCertificate(der);
    return certificate.ok ? [certificate.value] : [];
  };
  const roots = bundle.roots.flatMap(parsed);
  const signers = bundle.intermediates.filter((each) => each.cluster === cluster).flatMap((each) => parsed(each.certificate));
  const rootOfSigner = new Map(signers.map((signer) => [signer.serial, rootOver(signer, roots)]));
  const all = issued.map(({ name, serial, issuer, notAfter }) => ({ name, serial, notAfter, root: rootOfSigner.get(issuer ?? '') }));
  const used = all.filter((_, i) => issued[i]?.unused === false);
  return { issued: all, held: [...new Map(used.map((each) => [each.name, each])).values()] };
}

export interface ReportInput {
  readonly cluster: string;
  readonly version: number;
  readonly issuerRoot: string | undefined;
  readonly known: readonly string[];
  readonly unaware: readonly Laggard[];
  readonly holding: readonly Laggard[];
  readonly fault: string;
}

/** As peers are told it. Equal for equal input: nothing in it grows by itself. */
export function trustReport({ cluster, version, issuerRoot, known, unaware, holding, fault }: ReportInput): peering.TrustReport {
  const listed = (list: readonly Laggard[]) =>
    [...list]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .slice(0, mostListed)
      .map((each) => ({ ...each }));
  return peering.TrustReport.create({
    cluster,
    version,
    issuerRoot: Buffer.from(issuerRoot ?? '', 'hex'),
    known: [...known].sort().map((each) => Buffer.from(each, 'hex')),
    unaware: listed(unaware),
    unawareTotal: unaware.length,
    holding: listed(holding),
    holdingTotal: holding.length,
    fault: fault.slice(0, 512),
  });
}

/** What a report says, for the gates. Undefined: its sender knows no rotation. */
export function progressOf(cluster: string, report: peering.TrustReport | undefined, connected: boolean): ClusterProgress {
  if (report === undefined) return { cluster, connected, report: undefined };
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
  const { version, issuerRoot, known, unaware, unawareTotal, holding, holdingTotal, fault } = report;
  const more = unawareTotal > unaware.length || holdingTotal > holding.length;
  return {
    cluster,
    connected,
    report: { version, issuerRoot: hex(issuerRoot), known: new Set(known.map(hex)), unaware, holding, holdingTotal, more, fault },
  };
}
