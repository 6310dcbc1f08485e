import { MeshError } from '../errors.ts';

interface Where {
  readonly product: string;
  readonly url: string;
}

/** What a status other than 200 means; every one may be another after somebody repaired the server, so all are retryable. */
export function describeStatus(where: Where, path: string, status: number, body: string): MeshError {
  const said = body
    .slice(0, 200)
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim();
  const text = `${where.product} at ${originOf(where.url)} answered ${status} to ${path}${said === '' ? '' : ` (${said})`}`;
  const options = { retryable: true };
  if (status === 401 || status === 403) return new MeshError('REGISTRY_REFUSED', `${text}: check the token and its policy`, options);
  if (status === 404) return new MeshError('NOT_FOUND', text, options);
  if (status >= 500 || status === 429) return new MeshError('REGISTRY_UNREACHABLE', `${text}: check its log and its leader`, options);
  return new MeshError('PROTOCOL_ERROR', `${text}: check connection.url and the namespace, datacenter or region`, options);
}

/** A request that got no whole answer. `timedOutAfter`: ms, when that is why. */
export function describeTransport(where: Where, path: string, timedOutAfter: number | undefined, cause: unknown): MeshError {
  const at = `${where.product} at ${originOf(where.url)}`;
  if (timedOutAfter !== undefined) {
    const message = `${at} did not answer ${path} within ${timedOutAfter} ms: check whether it hangs or a firewall drops its packets`;
    return new MeshError('DEADLINE_EXCEEDED', message, { cause, retryable: true });
  }
  const { code, message } = cause as { code?: string; message?: string };
  const certificate = code?.includes('CERT') === true || code?.includes('SIGNATURE') === true || code?.includes('ISSUER') === true;
  const advice = certificate ? 'check connection.tls' : 'check connection.url and that it runs';
  return new MeshError('REGISTRY_UNREACHABLE', `${at} cannot be reached (${code ?? message ?? 'unknown'}): ${advice}`, {
    cause,
    retryable: true,
  });
}

function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : 'an invalid URL';
}
