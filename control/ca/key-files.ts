import type { KeyObject } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError } from '../../core/errors.ts';
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
import type { StoredTrust, TrustFile } from './rotation/trusted-roots.ts';

export interface LoadedKeys {
  readonly intermediate?: Issuer;
  /** Announced, not signing yet. */
  readonly staged?: Issuer;
  readonly previous: readonly Certificate[];
  readonly trust: StoredTrust;
}

/**
 * stateDir/ca, owner-only: `intermediate.pem` (key and certificate in one file, so that a crash never parts them), `staged.pem` (the next one, while others learn of
 * it), `previous.pem` (certificates that earlier keys signed with and that may still be in use), `trust.json` (the roots, and the statements by which they count;
 * `roots.pem` is the same for versions that do not know it), `pending.pem` (the key of a request that waits for its signature).
 */
export class KeyFiles implements TrustFile {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  async load(): Promise<LoadedKeys> {
    await ensureOwnerOnlyDir(this.#dir);
    const intermediate = await this.#issuer('intermediate');
    const staged = await this.#issuer('staged');
    const previous = await this.#certificates('previous');
    // A crash between the two writes of `activate`: what was staged signs already.
    const next = staged !== undefined && !staged.certificate.der.equals(intermediate?.certificate.der ?? Buffer.alloc(0)) ? { staged } : {};
    return { ...(intermediate === undefined ? {} : { intermediate }), ...next, previous, trust: await this.#trust() };
  }

  async saveTrust(trust: StoredTrust): Promise<void> {
    await writeOwnerOnly(join(this.#dir, 'trust.json'), `${JSON.stringify(trust)}\n`);
    await writeOwnerOnly(this.#path('roots'), certificatesToPem(trust.roots.map((root) => Buffer.from(root, 'base64'))));
  }

  /** Roots and predecessors first: a crash between leaves more to trust, never a signer that nobody can verify. */
  async install(intermediate: Issuer, previous: readonly Certificate[], trust: StoredTrust): Promise<void> {
    await this.saveTrust(trust);
    await this.savePrevious(previous);
    await writeOwnerOnly(this.#path('intermediate'), keyToPem(intermediate.key) + certificatesToPem([intermediate.certificate.der]));
    for (const name of ['staged', 'pending']) await rm(this.#path(name), { force: true });
  }

  async stage(staged: Issuer, trust: StoredTrust): Promise<void> {
    await this.saveTrust(trust);
    await writeOwnerOnly(this.#path('staged'), keyToPem(staged.key) + certificatesToPem([staged.certificate.der]));
    await rm(this.#path('pending'), { force: true });
  }

  async savePrevious(previous: readonly Certificate[]): Promise<void> {
    await writeOwnerOnly(this.#path('previous'), certificatesToPem(previous.map((each) => each.der)));
  }

  /** For backups alone: the store is what counts. */
  async saveDenied(serials: readonly string[]): Promise<void> {
    await writeOwnerOnly(join(this.#dir, 'denied.json'), `${JSON.stringify({ serials })}\n`);
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

  async #issuer(name: string): Promise<Issuer | undefined> {
    const text = await readIfThere(this.#path(name));
    return text === undefined ? undefined : issuerFromPem(text, this.#path(name));
  }

  async #trust(): Promise<StoredTrust> {
    const path = join(this.#dir, 'trust.json');
    const text = await readIfThere(path);
    if (text === undefined)
      return { statements: [], roots: (await this.#certificates('roots')).map((root) => root.der.toString('base64')) };
    try {
      const { statements, roots } = JSON.parse(text) as StoredTrust;
      return { statements: [...statements], roots: [...roots] };
    } catch (error) {
      throw new MeshError('IDENTITY_INVALID', `${path} is unreadable: restore it with isthmus ca restore`, { cause: error });
    }
  }

  async #certificates(name: string): Promise<Certificate[]> {
    const blocks = pemBlocks((await readIfThere(this.#path(name))) ?? '', 'CERTIFICATE');
    return blocks.flatMap((der) => {
      const parsed = parseCertificate(der);
      return parsed.ok ? [parsed.value] : [];
    });
  }
}
