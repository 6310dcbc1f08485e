import { join } from 'node:path';
import { MeshError } from '../../core/errors.ts';
import { ensureOwnerOnlyDir, readIfThere, writeOwnerOnly } from '../../core/identity/index.ts';
import { clusterSan } from '../../core/model/index.ts';
import {
  type Certificate,
  certificatesToPem,
  generateKey,
  type Issuer,
  issueIntermediate,
  issueRoot,
  keyFromPem,
  keyToPem,
  parseCertificate,
  parseCsr,
  pemBlocks,
  spkiOf,
} from '../../core/pki/index.ts';

const day = 86_400_000;
const rootFile = 'root.pem';

/** The root of a trust domain with its key, as it lies in a folder that should be online only where it signs. */
export interface Root extends Issuer {
  readonly trustDomain: string;
}

/**
 * `isthmus ca init`: makes the root of a new trust domain in `dir` (0700; one file, key and certificate, 0600). MeshError CONFLICT when the
 * folder has one already: a root is never overwritten. `now` is Unix ms; the default life is 10 years.
 */
export async function caInit(dir: string, trustDomain: string, now: number, lifetimeMs = 3_650 * day): Promise<Root> {
  await ensureOwnerOnlyDir(dir);
  const path = join(dir, rootFile);
  if ((await readIfThere(path)) !== undefined) throw new MeshError('CONFLICT', `${path} exists: a root is never overwritten`);
  const key = generateKey();
  const certificate = issueRoot(key, trustDomain, now, lifetimeMs);
  await writeOwnerOnly(path, keyToPem(key) + certificatesToPem([certificate.der]));
  return { key, certificate, trustDomain };
}

/** MeshError NOT_FOUND without a root there, IDENTITY_INVALID when what is there does not fit together. */
export async function loadRoot(dir: string, trustDomain: string): Promise<Root> {
  const path = join(dir, rootFile);
  const text = await readIfThere(path);
  if (text === undefined) throw new MeshError('NOT_FOUND', `${path} does not exist: run isthmus ca init`);
  return { ...issuerFromPem(text, path), trustDomain };
}

/** A key and its certificate from one PEM text, checked to belong together. */
export function issuerFromPem(text: string, path: string): Issuer {
  const [der] = pemBlocks(text, 'CERTIFICATE');
  const parsed = parseCertificate(der ?? Buffer.alloc(0));
  if (!parsed.ok) throw new MeshError('IDENTITY_INVALID', `${path}: ${parsed.violations[0]?.message ?? 'no certificate'}`);
  try {
    const key = keyFromPem(text);
    if (spkiOf(key).equals(parsed.value.spki)) return { key, certificate: parsed.value };
  } catch {
    throw new MeshError('IDENTITY_INVALID', `${path} holds no private key that can be read`);
  }
  throw new MeshError('IDENTITY_INVALID', `${path}: the key is not that of the certificate`);
}

/**
 * What `isthmus ca sign` does with a joiner's request: MeshError IDENTITY_INVALID for one that does not prove its key, PERMISSION_DENIED for
 * one that asks to speak for another cluster than `cluster`.
 */
export function signIntermediate(root: Root, csr: Uint8Array, cluster: string, now: number, lifetimeMs: number): Certificate {
  const request = parseCsr(csr);
  if (!request.ok) throw new MeshError('IDENTITY_INVALID', request.violations[0]?.message ?? 'not a certificate request');
  const { requestedDns, requestedUris } = request.value;
  const foreign = [...requestedUris, ...requestedDns.filter((dns) => dns !== clusterSan(cluster, root.trustDomain))];
  if (foreign.length > 0) throw new MeshError('PERMISSION_DENIED', `the request asks for ${foreign[0]}, not for cluster ${cluster}`);
  return issueIntermediate(root, request.value.spki, cluster, root.trustDomain, now, lifetimeMs);
}
