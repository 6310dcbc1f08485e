/** spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT (SPIFFE-ID §2; the path form is Istio's). */
export interface SpiffeId {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

const form =
  /^spiffe:\/\/([a-z0-9._-]{1,255})\/ns\/([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)\/sa\/([a-zA-Z0-9]([a-zA-Z0-9._-]{0,251}[a-zA-Z0-9])?)$/;

export function formatSpiffeId(id: SpiffeId): string {
  return `spiffe://${id.trustDomain}/ns/${id.namespace}/sa/${id.serviceAccount}`;
}

/** Undefined for anything that is not exactly of the form: other schemes, ports, queries, escapes, empty or extra segments. */
export function parseSpiffeId(text: string): SpiffeId | undefined {
  if (text.length > 2048) return undefined;
  const match = form.exec(text);
  if (match === null) return undefined;
  const [, trustDomain = '', namespace = '', , serviceAccount = ''] = match;
  return { trustDomain, namespace, serviceAccount };
}

/** The principal as Istio's policies write it: without the scheme. */
export function principalOf(id: SpiffeId): string {
  return formatSpiffeId(id).slice('spiffe://'.length);
}
