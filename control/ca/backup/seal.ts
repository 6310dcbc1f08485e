import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import { MeshError } from '../../../core/errors.ts';

const format = 'isthmus-ca-backup';
/** 128 MiB and about half a second of one core. */
const cost = { N: 2 ** 17, r: 8, p: 1 };
/** A file cannot ask for more than this: 1 GiB. */
const mostN = 2 ** 20;
const shortestPassphrase = 12;
const tagBytes = 16;

/** What may be read without the passphrase; it is covered by the seal. */
export interface SealedHeader {
  readonly trustDomain: string;
  readonly cluster: string;
  /** RFC 3339. */
  readonly createdAt: string;
}

interface Header extends SealedHeader {
  readonly format: string;
  readonly version: 1;
  readonly kdf: { readonly name: 'scrypt'; readonly N: number; readonly r: number; readonly p: number; readonly salt: string };
  readonly cipher: 'aes-256-gcm';
  readonly iv: string;
}

/**
 * One line of JSON that says how it is sealed, then base64 of the ciphertext and its tag: AES-256-GCM under a key from scrypt, the header as associated data.
 * MeshError CONFIG_INVALID for a passphrase that is too short.
 */
export async function seal(content: Uint8Array, header: SealedHeader, passphrase: string): Promise<string> {
  if (passphrase.length < shortestPassphrase)
    throw new MeshError('CONFIG_INVALID', `the passphrase is shorter than ${shortestPassphrase} characters`);
  const salt = randomBytes(32);
  const iv = randomBytes(12);
  const kdf = { name: 'scrypt' as const, ...cost, salt: salt.toString('base64') };
  const { trustDomain, cluster, createdAt } = header;
  const full: Header = { format, version: 1, trustDomain, cluster, createdAt, kdf, cipher: 'aes-256-gcm', iv: iv.toString('base64') };
  const line = JSON.stringify(full);
  const cipher = createCipheriv('aes-256-gcm', await derive(passphrase, salt, cost), iv);
  cipher.setAAD(Buffer.from(line));
  const sealed = Buffer.concat([cipher.update(content), cipher.final(), cipher.getAuthTag()]);
  return `${line}\n${sealed.toString('base64')}\n`;
}

/** MeshError CONFIG_INVALID for what is no such file, IDENTITY_INVALID for another passphrase or a file that was changed or cut. */
export async function unseal(text: string, passphrase: string): Promise<{ readonly header: SealedHeader; readonly content: Buffer }> {
  const end = text.indexOf('\n');
  const line = text.slice(0, Math.max(0, end));
  const header = readHeader(line);
  const sealed = Buffer.from(text.slice(end + 1).trim(), 'base64');
  const damaged = () =>
    new MeshError('IDENTITY_INVALID', 'the passphrase is another one, or the file was changed or cut: nothing was restored');
  if (sealed.length <= tagBytes) throw damaged();
  const { kdf, iv } = header;
  const key = await derive(passphrase, Buffer.from(kdf.salt, 'base64'), kdf);
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(iv, 'base64'), { authTagLength: tagBytes });
    decipher.setAAD(Buffer.from(line));
    decipher.setAuthTag(sealed.subarray(-tagBytes));
    return { header, content: Buffer.concat([decipher.update(sealed.subarray(0, -tagBytes)), decipher.final()]) };
  } catch {
    throw damaged();
  }
}

function readHeader(line: string): Header {
  const refuse = () => new MeshError('CONFIG_INVALID', 'this is no file that isthmus ca backup wrote, or its first line was changed');
  let header: Header;
  try {
    header = JSON.parse(line) as Header;
  } catch {
    throw refuse();
  }
  const { kdf, cipher, iv, version } = header ?? {};
  if (header?.format !== format || kdf?.name !== 'scrypt' || cipher !== 'aes-256-gcm') throw refuse();
  if (version !== 1)
    throw new MeshError('CONFIG_INVALID', `this backup is of version ${String(version).slice(0, 8)}; this program reads version 1`);
  const bounded = Number.isSafeInteger(kdf.N) && kdf.N >= 2 ** 14 && kdf.N <= mostN && kdf.r === cost.r && kdf.p === cost.p;
  if (!bounded || Buffer.from(kdf.salt ?? '', 'base64').length !== 32 || Buffer.from(iv ?? '', 'base64').length !== 12) throw refuse();
  return header;
}

function derive(
  passphrase: string,
  salt: Buffer,
  { N, r, p }: { readonly N: number; readonly r: number; readonly p: number },
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(passphrase.normalize('NFC'), salt, 32, { N, r, p, maxmem: 256 * N * r }, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });
}
