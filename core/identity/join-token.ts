import { isDnsLabel } from '../model/index.ts';
import { parseCertificate } from '../pki/index.ts';
import { accept, type Checked, reject, type Violation } from '../validate.ts';

/** What `isthmus vm token` prints: where to go, whom to trust there, and the secret that proves the right to an identity. */
export interface JoinToken {
  /** Public: names the token in logs and in `isthmus vm revoke`. */
  readonly id: string;
  /** 256 random bits, base64url. */
  readonly secret: string;
  readonly trustDomain: string;
  /** Of the control plane that issued it. */
  readonly cluster: string;
  /** HOST:PORT, tried in order. */
  readonly addresses: readonly string[];
  /** DER. */
  readonly root: Uint8Array;
  /** Where the instance is taken to be unless it says otherwise; '' when the token does not say. */
  readonly network?: string;
}

const prefix = 'isthmus-join-v1.';
const maxLength = 8_192;

/** One line without spaces. Holds the secret: print it once, keep it in owner-only files. */
export function formatJoinToken(token: JoinToken): string {
  const { id, secret, trustDomain, cluster, addresses, root, network = '' } = token;
  const parts = [id, secret, trustDomain, cluster, addresses, Buffer.from(root).toString('base64'), network];
  return prefix + Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/** Never throws; violations never repeat the input, which is mostly secret. */
export function parseJoinToken(text: string): Checked<JoinToken> {
  const trimmed = text.trim();
  const fail = (message: string) => reject<JoinToken>([{ path: 'token', message }]);
  if (trimmed.length > maxLength) return fail(`is longer than ${maxLength} characters`);
  if (!trimmed.startsWith(prefix)) return fail(`does not begin with ${prefix}: copy the whole line that isthmus vm token printed`);
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(trimmed.slice(prefix.length), 'base64url').toString('utf8'));
  } catch {
    return fail('is damaged: copy the whole line that isthmus vm token printed');
  }
  if (!Array.isArray(parts) || parts.length !== 7) return fail('is damaged');
  const [id, secret, trustDomain, cluster, addresses, root, network] = parts as unknown[];
  const violations: Violation[] = [];
  const must = (held: boolean, path: string, message: string) => held || violations.push({ path: `token.${path}`, message });
  must(typeof id === 'string' && /^[a-f0-9]{16}$/.test(id), 'id', 'is not 16 hex digits');
  must(typeof secret === 'string' && /^[A-Za-z0-9_-]{43}$/.test(secret), 'secret', 'is not 256 bits');
  must(typeof trustDomain === 'string' && /^[a-z0-9._-]{1,255}$/.test(trustDomain), 'trustDomain', 'is no trust domain');
  must(typeof cluster === 'string' && isDnsLabel(cluster), 'cluster', 'is no cluster name');
  must(isAddresses(addresses), 'addresses', 'are not 1-16 of HOST:PORT');
  must(network === '' || (typeof network === 'string' && isDnsLabel(network)), 'network', 'is no network name');
  const der = typeof root === 'string' ? Buffer.from(root, 'base64') : Buffer.alloc(0);
  must(parseCertificate(der).ok, 'root', 'is no certificate');
  if (violations.length > 0) return reject(violations);
  return accept({ ...({ id, secret, trustDomain, cluster, addresses, network } as Omit<JoinToken, 'root'>), root: der });
}

function isAddresses(value: unknown): value is string[] {
  return (
    Array.isArray(value) &&
    value.length >= 1 &&
    value.length <= 16 &&
    value.every((each) => typeof each === 'string' && /^\S{1,260}:\d{1,5}$/.test(each))
  );
}
