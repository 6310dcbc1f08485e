import type { PeerIdentity } from '../engine/index.ts';

/**
 * x-forwarded-client-cert in Envoy's form (HTTP connection manager docs, SANITIZE_SET): who this end is, and whom it saw.
 * SVIDs have an empty subject. SPIFFE ids and DNS names hold no character that would need quoting.
 */
export function clientCertHeaderValue(by: string, peer: PeerIdentity): string {
  const dns = peer.dnsSans.map((name) => `;DNS=${name}`).join('');
  return `By=${by};Hash=${peer.fingerprint};Subject="";URI=${peer.spiffeId}${dns}`;
}
