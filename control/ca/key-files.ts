import type { KeyObject } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureOwnerOnlyDir, readIfThere, writeOwnerOnly } from '../../core/identity/index.ts';
import {
  type Certificate,
  certificatesToPem,
  generateKey,
  type Issuer,
  keyFromPem,
  keyToPem,
  parseCertificate,
  pemBlocks,
} from '../../core/pki/index.ts';
import { issuerFromPem } from './root.ts';

/**
 * stateDir/ca, owner-only: `intermediate.pem` (key and certificate in one file, so that a crash never parts them), `previous.pem`
 * (certificates that earlier keys signed with and that may still be in use), `roots.pem`, `pending.pem` (the key of a request that
 * waits for its signature).
 */
export class KeyFiles {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  async load(): Promise<{ intermediate?: Issuer; previous: Certificate[]; roots: Certificate[] }> {
    await ensureOwnerOnlyDir(this.#dir);
    const text = await readIfThere(this.#path('intermediate'));
    const previous = await this.#certificates('previous');
    const roots = await this.#certificates('roots');
    return text === undefined ? { previous, roots } : { intermediate: issuerFromPem(text, this.#path('intermediate')), previous, roots };
  }

  /** Roots and predecessors first: a crash between leaves more to trust, never a signer that nobody can verify. */
  async install(intermediate: Issuer, previous: readonly Certificate[], roots: readonly Certificate[]): Promise<void> {
    await writeOwnerOnly(this.#path('roots'), certificatesToPem(roots.map((root) => root.der)));
    await writeOwnerOnly(this.#path('previous'), certificatesToPem(previous.map((each) => each.der)));
    await writeOwnerOnly(this.#path('intermediate'), keyToPem(intermediate.key) + certificatesToPem([intermediate.certificate.der]));
    await rm(this.#path('pending'), { force: true });
  }

  /** The key for the next request: the same one until it is installed, so that a signature that comes late still fits. */
  async pendingKey(): Promise<KeyObject> {
    const known = await readIfThere(this.#path('pending'));
    if (known !== undefined) return keyFromPem(known);
    const key = generateKey();
    await writeOwnerOnly(this.#path('pending'), keyToPem(key));
    return key;
  }

  #path(name: string): string {
    return join(this.#dir, `${name}.pem`);
  }

  async #certificates(name: string): Promise<Certificate[]> {
    const blocks = pemBlocks((await readIfThere(this.#path(name))) ?? '', 'CERTIFICATE');
    return blocks.flatMap((der) => {
      const parsed = parseCertificate(der);
      return parsed.ok ? [parsed.value] : [];
    });
  }
}
