import { isDnsLabel } from '../../core/model/index.ts';
import { parseCertificate } from '../../core/pki/index.ts';
import { accept, type Checked, reject, type Violation } from '../../core/validate.ts';

/** What `isthmus peer invite` prints: where to go, whom to trust there, and the secret that proves the right to join. */
export interface InviteToken {
  /** Public: names the invitation in logs. */
  readonly id: string;
  /** 256 random bits. */
  readonly secret: Buffer;
  readonly cluster: string;
  readonly trustDomain: string;
  /** DER. */
  readonly root: Buffer;
  /** HOST:PORT of the inviter; empty when it dials. */
  readonly addresses: readonly string[];
  /** The inviter dials the joiner: the joiner waits. */
  readonly inviterDials: boolean;
  /** Unix ms, of the inviter's clock. */
  readonly expiresAt: number;
}

const version = 1;
const longest = 16_384;

export function formatInviteToken(token: InviteToken): string {
  const { id, secret, cluster, trustDomain, root, addresses, inviterDials, expiresAt } = token;
  const body = {
    v: version,
    id,
    s: secret.toString('base64url'),
    c: cluster,
    td: trustDomain,
    r: root.toString('base64url'),
    a: addresses,
  };
  return Buffer.from(JSON.stringify({ ...body, d: inviterDials, e: expiresAt })).toString('base64url');
}

/** Violations never repeat what the text holds: it is a secret. */
export function parseInviteToken(text: string): Checked<InviteToken> {
  const refuse = (message: string) => reject<InviteToken>([{ path: 'token', message }]);
  const trimmed = text.trim();
  if (trimmed.length > longest || !/^[A-Za-z0-9_-]+$/.test(trimmed)) return refuse('is not what isthmus peer invite prints: was it cut?');
  let raw: unknown;
  try {
    raw = JSON.parse(Buffer.from(trimmed, 'base64url').toString('utf8'));
  } catch {
    return refuse('is not what isthmus peer invite prints: was it cut?');
  }
  if (typeof raw !== 'object' || raw === null) return refuse('is not what isthmus peer invite prints');
  return check(raw as Record<string, unknown>);
}

function check(raw: Record<string, unknown>): Checked<InviteToken> {
  const violations: Violation[] = [];
  const report = (message: string) => violations.push({ path: 'token', message });
  const { v, id, s, c, td, r, a, d, e } = raw;
  if (v !== version) report(`is of version ${String(v).slice(0, 8)}; this program reads version ${version}`);
  const secret = Buffer.from(typeof s === 'string' ? s : '', 'base64url');
  if (typeof id !== 'string' || !/^[0-9a-f-]{36}$/.test(id)) report('names no invitation');
  if (secret.length !== 32) report('holds no secret');
  if (typeof c !== 'string' || !isDnsLabel(c)) report('names no cluster');
  if (typeof td !== 'string' || !/^[a-z0-9._-]{1,255}$/.test(td)) report('names no trust domain');
  const root = Buffer.from(typeof r === 'string' ? r : '', 'base64url');
  if (!parseCertificate(root).ok) report('holds no root certificate');
  const addresses: readonly unknown[] = Array.isArray(a) ? a : [];
  if (addresses.length > 16 || !addresses.every((x) => typeof x === 'string' && /^[^\s/]{1,255}:[0-9]{1,5}$/.test(x)))
    report('holds addresses that are not HOST:PORT');
  if (typeof e !== 'number' || !Number.isSafeInteger(e)) report('does not say when it expires');
  if (addresses.length === 0 && d !== true)
    report('holds no address of the inviter: invite with --dial, or configure grpc.advertise there');
  if (violations.length > 0) return reject(violations);
  return accept({
    id: id as string,
    secret,
    cluster: c as string,
    trustDomain: td as string,
    root,
    addresses: addresses as readonly string[],
    inviterDials: d === true,
    expiresAt: e as number,
  });
}
