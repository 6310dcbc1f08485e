import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { MeshError } from '../../core/errors.ts';
import type { IngressTls } from '../engine/index.ts';
import { readKeyPem, readPem } from '../pem-files.ts';
import type { ServerTls } from './rules.ts';

export interface ReadCertificate {
  readonly tls: IngressTls;
  /** Of the leaf, Unix ms. */
  readonly notAfter: number;
}

/** Rejects with MeshError CONFIG_INVALID, which says in one sentence what is wrong with which file, and nothing of what is in it. */
export async function readCertificate({ certFile, keyFile, caFile, mode, minVersion, alpn }: ServerTls): Promise<ReadCertificate> {
  const certPem = await readPem(certFile);
  const keyPem = await readKeyPem(keyFile);
  const caPem = mode === 'simple' || caFile === undefined ? undefined : await readPem(caFile);
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
