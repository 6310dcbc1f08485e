import { createPrivateKey, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { MeshError } from '../../../core/errors.ts';
import { ensureOwnerOnlyDir, readIfThere, writeOwnerOnly } from '../../../core/identity/index.ts';
import { keyIdOf } from '../../../core/jwt/index.ts';
import { isP256, spkiOf } from '../../../core/pki/index.ts';

/** A private key that signs JWT-SVIDs, or is to. */
export interface StoredJwtKey {
  readonly keyId: string;
  readonly key: KeyObject;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer;
  /** Unix ms. */
  readonly createdAt: number;
  readonly notAfter: number;
}

const jwtKeyFileName = 'jwt-keys.json';

interface Entry {
  readonly key: string;
  readonly createdAt: number;
  readonly notAfter: number;
}

/** stateDir/ca/jwt-keys.json, owner-only: all in one file, so that a crash never parts a key from its times. */
export class JwtKeyFile {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** By age. MeshError IDENTITY_INVALID for what cannot be read: it is not written over. */
  async load(): Promise<readonly StoredJwtKey[]> {
    await ensureOwnerOnlyDir(this.#dir);
    const path = join(this.#dir, jwtKeyFileName);
    const text = await readIfThere(path);
    if (text === undefined) return [];
    try {
      const { keys } = JSON.parse(text) as { keys: readonly Entry[] };
      return keys.map(read).sort((a, b) => a.createdAt - b.createdAt);
    } catch {
      // What was wrong may quote the file, and it holds keys.
      throw new MeshError(
        'IDENTITY_INVALID',
        `${path} is unreadable: restore it with isthmus ca restore, or remove it, and tokens that its keys signed end at once`,
      );
    }
  }

  /** Durable when it resolves. */
  async save(keys: readonly StoredJwtKey[]): Promise<void> {
    const entries = keys.map(({ key, createdAt, notAfter }): Entry => {
      return { key: key.export({ type: 'pkcs8', format: 'der' }).toString('base64'), createdAt, notAfter };
    });
    await writeOwnerOnly(join(this.#dir, jwtKeyFileName), `${JSON.stringify({ keys: entries })}\n`);
  }
}

function read({ key: text, createdAt, notAfter }: Entry): StoredJwtKey {
  const key = createPrivateKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'pkcs8' });
  if (!isP256(key) || !Number.isSafeInteger(createdAt) || !Number.isSafeInteger(notAfter)) throw new Error('no key of ours');
  return storedKey(key, createdAt, notAfter);
}

/** `key`: P-256. */
export function storedKey(key: KeyObject, createdAt: number, notAfter: number): StoredJwtKey {
  const publicKey = spkiOf(key);
  return { keyId: keyIdOf(publicKey) ?? '', key, publicKey, createdAt, notAfter };
}
