import type { Svid, TrustBundle } from '../../core/identity/index.ts';
import { svidKeyPem } from '../../core/identity/index.ts';
import { anchorOf, certificatesToPem, parseCertificate } from '../../core/pki/index.ts';
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

function anchorsByCluster({ intermediates, deniedSerials }: TrustBundle): ReadonlyMap<string, string> {
  const anchors = new Map<string, string>();
  for (const { cluster, certificate } of intermediates) {
    const parsed = parseCertificate(certificate);
    if (!parsed.ok || deniedSerials.includes(parsed.value.serial)) continue;
    anchors.set(cluster, (anchors.get(cluster) ?? '') + certificatesToPem([anchorOf(parsed.value).der]));
  }
  return anchors;
}
