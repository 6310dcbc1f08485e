import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { bundleOf, certificatesToPem, generateKey, keyFromPem, keyToPem, pemBlocks, type TrustBundle } from '../pki/index.ts';
import { ensureOwnerOnlyDir, readIfThere, writeOwnerOnly } from './owner-only-file.ts';
import { makeSvid, type Svid } from './svid.ts';

export interface StoredIdentity {
  readonly svid: Svid;
  readonly bundle: TrustBundle;
  /** Id of the join token that it goes back to. */
  readonly tokenId: string;
  /** The SVID was given up: what holds of it are the roots, by which the control plane is known when it is asked for another one. */
  readonly givenUp?: boolean;
}

interface SvidFile {
  readonly version: 1;
  readonly tokenId: string;
  readonly trustDomain: string;
  readonly keyPem: string;
  readonly chainPem: string;
  readonly rootsPem: string;
  readonly givenUp?: boolean;
}

/**
 * One process's identity on disk, folder 0700, files 0600: `svid.json` (key, chain and roots in one file: they change together or not at
 * all), `attest-key.pem` (the key that the join token is bound to, on disk before the token is shown to anybody) and `join-token`.
 */
export class IdentityFiles {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  async prepare(): Promise<void> {
    await ensureOwnerOnlyDir(this.#dir);
  }

  /** Undefined when there is none, or what is there can't be read: then it is had anew. */
  async load(): Promise<StoredIdentity | undefined> {
    const text = await readIfThere(this.#path('svid.json'));
    if (text === undefined) return undefined;
    try {
      const file = JSON.parse(text) as SvidFile;
      const svid = makeSvid(pemBlocks(file.chainPem, 'CERTIFICATE'), keyFromPem(file.keyPem));
      if (file.version !== 1 || !svid.ok) return undefined;
      const roots = pemBlocks(file.rootsPem, 'CERTIFICATE');
      return { svid: svid.value, bundle: bundleOf(file.trustDomain, roots), tokenId: file.tokenId, givenUp: file.givenUp === true };
    } catch {
      return undefined;
    }
  }

  /** Durable when it resolves; only then may the SVID be used. */
  async save({ svid, bundle, tokenId }: StoredIdentity): Promise<void> {
    const file: SvidFile = {
      version: 1,
      tokenId,
      trustDomain: bundle.trustDomain,
      keyPem: keyToPem(svid.key),
      chainPem: svid.chainPem,
      rootsPem: certificatesToPem(bundle.roots),
    };
    await writeOwnerOnly(this.#path('svid.json'), `${JSON.stringify(file)}\n`);
  }

  async attestKey(): Promise<KeyObject> {
    const text = await readIfThere(this.#path('attest-key.pem'));
    if (text !== undefined) return keyFromPem(text);
    const key = generateKey();
    await writeOwnerOnly(this.#path('attest-key.pem'), keyToPem(key));
    return key;
  }

  async token(): Promise<string | undefined> {
    return (await readIfThere(this.#path('join-token')))?.trim();
  }

  async saveToken(text: string): Promise<void> {
    await writeOwnerOnly(this.#path('join-token'), `${text.trim()}\n`);
  }

  #path(name: string): string {
    return join(this.#dir, name);
  }
}

/** So that the next start attests anew, with the token, the key and the roots that are there. Idempotent. */
export async function giveUpSvid(dir: string): Promise<void> {
  const path = join(dir, 'svid.json');
  const text = await readIfThere(path);
  if (text === undefined) return;
  try {
    await writeOwnerOnly(path, `${JSON.stringify({ ...(JSON.parse(text) as SvidFile), givenUp: true })}\n`);
  } catch (error) {
    // What cannot be read is used by nobody.
    if (!(error instanceof SyntaxError)) throw error;
  }
}
