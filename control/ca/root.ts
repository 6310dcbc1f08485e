import { readdir } from 'node:fs/promises';
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
  rootFault,
  signingAlgorithm,
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
  const root = makeRoot(trustDomain, now, lifetimeMs);
  await saveRoot(path, root);
  return root;
}

/** `isthmus ca import`: a root that was made elsewhere takes the place that `caInit`'s would have. MeshErrors as its; IDENTITY_INVALID for what cannot be a root. */
export async function caImport(dir: string, trustDomain: string, given: Issuer, now: number): Promise<Root> {
  const fault = rootFault(given.certificate) ?? (given.certificate.notAfter <= now ? 'it has ended' : undefined);
  if (fault !== undefined) throw new MeshError('IDENTITY_INVALID', `this cannot be a root: ${fault}`);
  if (signingAlgorithm(given.key) === undefined)
    throw new MeshError('IDENTITY_INVALID', 'this cannot be a root: its key is neither RSA of 2048 bits or more nor P-256, P-384 or P-521');
  await ensureOwnerOnlyDir(dir);
  const path = join(dir, rootFile);
  if ((await readIfThere(path)) !== undefined) throw new MeshError('CONFLICT', `${path} exists: a root is never overwritten`);
  await saveRoot(path, given);
  return { ...given, trustDomain };
}

/** A new root, on no disk yet. */
export function makeRoot(trustDomain: string, now: number, lifetimeMs = 3_650 * day): Root {
  const key = generateKey();
  return { key, certificate: issueRoot(key, trustDomain, now, lifetimeMs), trustDomain };
}

export async function saveRoot(path: string, { key, certificate }: Issuer): Promise<void> {
  await writeOwnerOnly(path, keyToPem(key) + certificatesToPem([certificate.der]));
}

/** MeshError NOT_FOUND without a root there, IDENTITY_INVALID when what is there does not fit together. */
export async function loadRoot(dir: string, trustDomain: string): Promise<Root> {
  const path = join(dir, rootFile);
  const text = await readIfThere(path);
  if (text === undefined) throw new MeshError('NOT_FOUND', `${path} does not exist: run isthmus ca init`);
  return { ...issuerFromPem(text, path), trustDomain };
}

/**
 * Every root in the folder: `root.pem`, and while roots are rotated `root-*.pem`. Which of them signs is for the trust domain's statements to
 * say. MeshErrors as `loadRoot`'s.
 */
export async function loadRoots(dir: string, trustDomain: string): Promise<readonly Root[]> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const found = names.filter((name) => /^root(-[0-9a-f]+)?\.pem$/.test(name)).sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  if (found.length === 0) throw new MeshError('NOT_FOUND', `${join(dir, rootFile)} does not exist: run isthmus ca init`);
  return Promise.all(
    found.map(async (name) => ({ ...issuerFromPem((await readIfThere(join(dir, name))) ?? '', join(dir, name)), trustDomain })),
  );
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
