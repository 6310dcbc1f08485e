import { isDnsLabel, type Protocol } from '../model/index.ts';
import { parseCertificate } from '../pki/index.ts';
import { accept, type Checked, reject, type Violation } from '../validate.ts';

/**
 * What `isthmus vm token` prints: where to go, whom to trust there, and the secret that proves the right to an identity; with `attestor` it holds no
 * secret, and the right is proven by what that attestor takes.
 */
export interface JoinToken {
  /** Public: names the token in logs and in `isthmus vm revoke`. */
  readonly id: string;
  /** 256 random bits, base64url; '' with `attestor`. */
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
  /** What it may serve, for a join that does not say what it serves; empty: nothing, or the token does not say. */
  readonly services?: readonly TokenService[];
  /** NAMESPACE/NAME of an AttestationPolicy. */
  readonly attestor?: string;
}

export interface TokenService {
  readonly namespace: string;
  readonly name: string;
  /** The service port. */
  readonly port: number;
  readonly protocol: Protocol;
}

/** What came later, by name; a reader passes over what it does not know. */
interface More {
  readonly services?: unknown;
  readonly attestor?: unknown;
}

const prefix = 'isthmus-join-v1.';
const maxLength = 8_192;
const protocols: readonly Protocol[] = ['tcp', 'http', 'http2', 'grpc', 'tls'];

/** One line without spaces. Holds the secret: print it once, keep it in owner-only files. */
export function formatJoinToken(token: JoinToken): string {
  const { id, secret, trustDomain, cluster, addresses, root, network = '', services = [], attestor } = token;
  const more: More = { ...(services.length === 0 ? {} : { services }), ...(attestor === undefined ? {} : { attestor }) };
  const parts: unknown[] = [id, secret, trustDomain, cluster, addresses, Buffer.from(root).toString('base64'), network];
  if (Object.keys(more).length > 0) parts.push(more);
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
  if (!Array.isArray(parts) || parts.length < 7 || parts.length > 8) return fail('is damaged');
  const [id, secret, trustDomain, cluster, addresses, root, network, given = {}] = parts as unknown[];
  const { services = [], attestor } = (typeof given === 'object' && given !== null ? given : { services: given }) as More;
  const violations: Violation[] = [];
  const must = (held: boolean, path: string, message: string) => held || violations.push({ path: `token.${path}`, message });
  must(typeof id === 'string' && /^[a-f0-9]{16}$/.test(id), 'id', 'is not 16 hex digits');
  const secretForm = attestor === undefined ? /^[A-Za-z0-9_-]{43}$/ : /^$/;
  must(
    typeof secret === 'string' && secretForm.test(secret),
    'secret',
    attestor === undefined ? 'is not 256 bits' : 'has no place beside an attestor',
  );
  must(attestor === undefined || (typeof attestor === 'string' && isAttestor(attestor)), 'attestor', 'is no NAMESPACE/NAME');
  must(typeof trustDomain === 'string' && /^[a-z0-9._-]{1,255}$/.test(trustDomain), 'trustDomain', 'is no trust domain');
  must(typeof cluster === 'string' && isDnsLabel(cluster), 'cluster', 'is no cluster name');
  must(isAddresses(addresses), 'addresses', 'are not 1-16 of HOST:PORT');
  must(network === '' || (typeof network === 'string' && isDnsLabel(network)), 'network', 'is no network name');
  must(isServices(services), 'services', 'are not what isthmus vm token writes');
  const der = typeof root === 'string' ? Buffer.from(root, 'base64') : Buffer.alloc(0);
  must(parseCertificate(der).ok, 'root', 'is no certificate');
  if (violations.length > 0) return reject(violations);
  const said = { id, secret, trustDomain, cluster, addresses, network, services, ...(attestor === undefined ? {} : { attestor }) };
  return accept({ ...(said as Omit<JoinToken, 'root'>), root: der });
}

function isAttestor(text: string): boolean {
  const [namespace = '', name = '', ...more] = text.split('/');
  return more.length === 0 && isDnsLabel(namespace) && name.length <= 253 && name.split('.').every(isDnsLabel);
}

function isAddresses(value: unknown): value is string[] {
  return (
    Array.isArray(value) &&
    value.length >= 1 &&
    value.length <= 16 &&
    value.every((each) => typeof each === 'string' && /^\S{1,260}:\d{1,5}$/.test(each))
  );
}

function isServices(value: unknown): value is TokenService[] {
  return Array.isArray(value) && value.length <= 64 && value.every((each) => isService(each as Partial<TokenService> | null));
}

function isService(value: Partial<TokenService> | null): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { namespace, name, port, protocol } = value;
  const named = [namespace, name].every((each) => typeof each === 'string' && isDnsLabel(each));
  return named && Number.isInteger(port) && Number(port) >= 1 && Number(port) <= 65_535 && protocols.includes(protocol as Protocol);
}
