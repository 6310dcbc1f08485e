import type { DeliveredConnection } from '../engine/index.ts';
import { clientCertHeaderValue } from './client-cert.ts';
import { type RawHeaders, requestHeaders } from './headers.ts';

/**
 * A request's headers with what this hop says of it, before a rule is looked for: rules match, change and remove that as any other
 * header, as in Envoy. `spiffeId`: this proxy's own. Pure.
 */
export function hopHeaders(
  raw: RawHeaders,
  requestId: string,
  { peer, source, nameless }: DeliveredConnection,
  spiffeId: string,
): string[] {
  const clientCert = peer === undefined || nameless === true ? undefined : clientCertHeaderValue(spiffeId, peer);
  return requestHeaders(raw, { requestId, sourceAddress: source.address, clientCert });
}
