/** A SPIFFE id of any trust domain (SPIFFE-ID §2): what its path means is that domain's business. */
export interface WorkloadId {
  readonly trustDomain: string;
  /** Begins with `/`; never empty, as workloads' are not. */
  readonly path: string;
}

const form = /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/[a-zA-Z0-9._-]+)+)$/;
const trustDomainForm = /^[a-z0-9._-]{1,255}$/;

/** Undefined for anything that is not exactly of the form: other schemes, ports, queries, escapes, empty, `.` or `..` segments, no path. */
export function parseWorkloadId(text: string): WorkloadId | undefined {
  if (text.length > 2048) return undefined;
  const [whole, trustDomain = '', path = ''] = form.exec(text) ?? [];
  if (whole === undefined || path.split('/').some((segment) => segment === '.' || segment === '..')) return undefined;
  return { trustDomain, path };
}

export function formatWorkloadId({ trustDomain, path }: WorkloadId): string {
  return `spiffe://${trustDomain}${path}`;
}

/** SPIFFE-ID §2.1: lower-case letters, digits, dots, hyphens and underscores. */
export function isTrustDomain(text: string): boolean {
  return trustDomainForm.test(text);
}
