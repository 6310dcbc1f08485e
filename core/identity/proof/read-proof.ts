import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { attestationAudience } from '../../config/index.ts';
import { MeshError } from '../../errors.ts';
import { pemBlocks } from '../../pki/index.ts';
import type { ProofOptions } from './proof-options.ts';
import { formatX509Proof } from './x509-proof.ts';

/** Whom a proof is for, and for what. */
export interface ProofRequest {
  readonly trustDomain: string;
  readonly cluster: string;
  readonly instance: string;
  /** SubjectPublicKeyInfo of the key that the SVID is to be for. */
  readonly spki: Uint8Array;
  /** Unix ms. */
  readonly now: number;
}

/**
 * The proof as it is now. Rejects with MeshError: NOT_FOUND, retryable, for a file that is not there (yet) or cannot be read; CONFIG_INVALID for one
 * that holds no certificate or key. Messages name the file, and nothing of what is in it.
 */
export async function readProof(options: ProofOptions, request: ProofRequest): Promise<Buffer> {
  if ('file' in options) return Buffer.from((await contentOf(options.file)).toString('latin1').trim(), 'latin1');
  const chain = pemBlocks((await contentOf(options.cert)).toString('utf8'), 'CERTIFICATE');
  if (chain.length === 0) throw new MeshError('CONFIG_INVALID', `${options.cert} holds no certificate as PEM`, { retryable: true });
  const { trustDomain, cluster, instance, spki, now } = request;
  const statement = { audience: attestationAudience(trustDomain, cluster), time: Math.round(now), instance, spki };
  const pem = await contentOf(options.key);
  try {
    return formatX509Proof(chain, createPrivateKey(pem), statement);
  } catch {
    throw new MeshError('CONFIG_INVALID', `${options.key} holds no private key as PEM that can sign`, { retryable: true });
  }
}

async function contentOf(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    const message = `the proof cannot be read from ${path} (${code}): check that it is written, and that this process may read it`;
    throw new MeshError('NOT_FOUND', message, { retryable: true });
  }
}
