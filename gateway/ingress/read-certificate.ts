import { createPrivateKey, X509Certificate } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { MeshError } from '../../core/errors.ts';
import type { IngressTls } from '../engine/index.ts';
import type { ServerTls } from './rules.ts';

/** Chains and authorities of people are longer than ours; more is no certificate. */
const maxBytes = 1_048_576;

export interface ReadCertificate {
  readonly tls: IngressTls;
  /** Of the leaf, Unix ms. */
  readonly notAfter: number;
}

/** Rejects with MeshError CONFIG_INVALID, which says in one sentence what is wrong with which file, and nothing of what is in it. */
export async function readCertificate({ certFile, keyFile, caFile, mode, minVersion, alpn }: ServerTls): Promise<ReadCertificate> {
  const certPem = await textOf(certFile);
  const keyPem = await textOf(keyFile, refuseOpenKey);
  const caPem = mode === 'simple' || caFile === undefined ? undefined : await textOf(caFile);
  const leaf = attempt(() => new X509Certificate(certPem), `${certFile} holds no certificate`);
  const key = attempt(() => createPrivateKey(keyPem), `${keyFile} holds no private key without a passphrase`);
  if (!leaf.checkPrivateKey(key)) throw wrong(`the key in ${keyFile} is not that of the certificate in ${certFile}`);
  if (caPem !== undefined) attempt(() => new X509Certificate(caPem), `${caFile} holds no certificate`);
  const tls: IngressTls = {
    certPem,
    keyPem,
    ...(caPem === undefined ? {} : { clients: { caPem, optional: mode === 'optional-mutual' } }),
    minVersion,
    alpn,
  };
  attempt(
    () => createSecureContext({ cert: certPem, key: keyPem, ...(caPem === undefined ? {} : { ca: caPem }) }),
    `TLS takes neither ${certFile} nor its key`,
  );
  return { tls, notAfter: Date.parse(leaf.validTo) };
}

async function textOf(path: string, check?: (path: string, handle: FileHandle) => Promise<void>): Promise<string> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    throw wrong(`${path} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'it is no file'}`);
  }
  try {
    await check?.(path, handle);
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(maxBytes + 1), 0, maxBytes + 1, 0);
    if (bytesRead > maxBytes) throw wrong(`${path} is longer than ${maxBytes} bytes`);
    return buffer.toString('utf8', 0, bytesRead);
  } catch (error) {
    if (error instanceof MeshError) throw error;
    throw wrong(`${path} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'it is no file'}`);
  } finally {
    await handle.close();
  }
}

/** As PostgreSQL has it: the owner's alone, or root's and readable by a group, which is how secrets are mounted for those who are not root. */
async function refuseOpenKey(path: string, handle: FileHandle): Promise<void> {
  const { mode, uid } = await handle.stat();
  const allowed = uid === 0 ? 0o740 : 0o700;
  if ((mode & 0o777 & ~allowed) === 0) return;
  const bits = (mode & 0o777).toString(8).padStart(4, '0');
  throw wrong(`${path} is open to others (mode ${bits}): a private key must be readable by its owner alone, chmod 0600`);
}

/** What went wrong is not said in OpenSSL's words, which may hold what is in the file. */
function attempt<T>(make: () => T, complaint: string): T {
  try {
    return make();
  } catch {
    throw wrong(complaint);
  }
}

function wrong(message: string): MeshError {
  return new MeshError('CONFIG_INVALID', message);
}
