import type { Svid, TrustBundle } from '../../core/identity/index.ts';
import { svidKeyPem } from '../../core/identity/index.ts';
import { clusterSan } from '../../core/model/index.ts';
import { anchorOf, type Certificate, certificatesToPem, issuerFault, parseCertificate, signedBy } from '../../core/pki/index.ts';
import { anchorsOfFile, certificateFiles as files } from '../../core/xds/grpc/index.ts';

/**
 * What the folder should hold: file name → PEM. `kept`: names that are there; a file of several anchors is made because somebody put it
 * there. A mesh cluster has several anchors while its signing key changes. Equal for equal input.
 */
export function certificateContents(svid: Svid, bundle: TrustBundle, kept: readonly string[]): ReadonlyMap<string, string> {
  const key = svidKeyPem(svid);
  const anchors = anchorsByCluster(bundle);
  const several = kept.flatMap((name): [string, string][] => {
    const pem = (anchorsOfFile(name) ?? []).map((cluster) => anchors.get(cluster) ?? '').join('');
    return pem === '' ? [] : [[name, pem]];
  });
  return new Map([
    [files.identity, `${svid.chainPem}${key}`],
    [files.chain, svid.chainPem],
    [files.key, key],
    [files.roots, certificatesToPem(bundle.roots)],
    ...[...anchors].map(([cluster, pem]): [string, string] => [files.anchor(cluster), pem]),
    ...several,
  ]);
}

/** Only of what a root signed for that very cluster: an anchor is believed whatever signed it, so this is where that is looked at. */
function anchorsByCluster({ trustDomain, roots, intermediates, deniedSerials }: TrustBundle): ReadonlyMap<string, string> {
  const signers = roots.flatMap(parsed);
  const anchors = new Map<string, string>();
  for (const { cluster, certificate } of intermediates) {
    for (const intermediate of parsed(certificate)) {
      if (deniedSerials.includes(intermediate.serial) || !signers.some((root) => signedBy(intermediate, root))) continue;
      if (issuerFault(intermediate, clusterSan(cluster, trustDomain)) !== undefined) continue;
      anchors.set(cluster, (anchors.get(cluster) ?? '') + certificatesToPem([anchorOf(intermediate).der]));
    }
  }
  return anchors;
}

function parsed(der: Uint8Array): readonly Certificate[] {
  const certificate = parseCertificate(der);
  return certificate.ok ? [certificate.value] : [];
}
