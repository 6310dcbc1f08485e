import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureOwnerOnlyDir, readIfThere, type SvidSource, type TrustBundle, writeOwnerOnly } from '../../core/identity/index.ts';
import type { Log } from '../../core/log.ts';
import { certificateContents } from './content.ts';

export interface CertificateFolderOptions {
  /** Made 0700; files are 0600 and replaced whole. */
  readonly dir: string;
  readonly identity: SvidSource;
  /** The newest that is known; one without intermediates says nothing of anchors, and those that are there stay. */
  readonly trust: () => TrustBundle;
  readonly log: Log;
}

/** Certificates for programs of this machine that do mTLS themselves, kept as files as long as the agent runs. */
export class CertificateFolder {
  readonly #options: CertificateFolderOptions;
  readonly #undo: () => void;
  #writing: Promise<void> = Promise.resolve();

  private constructor(options: CertificateFolderOptions) {
    this.#options = options;
    this.#undo = options.identity.subscribe(() => this.refresh());
  }

  /** Resolves when the files are there. Rejects when the folder cannot be written. */
  static async open(options: CertificateFolderOptions): Promise<CertificateFolder> {
    await ensureOwnerOnlyDir(options.dir);
    const folder = new CertificateFolder(options);
    try {
      await folder.#write();
    } catch (error) {
      folder.#undo();
      throw error;
    }
    return folder;
  }

  /** After `trust` would say something else. Changes of the identity are seen without. */
  refresh(): void {
    const { log, dir } = this.#options;
    this.#writing = this.#writing
      .then(() => this.#write())
      .catch((error: unknown) =>
        log.error({ error: String(error) }, `certificates in ${dir} are not up to date: check that it can be written`),
      );
  }

  /** Files stay: programs go on with them. */
  async close(): Promise<void> {
    this.#undo();
    await this.#writing;
  }

  async #write(): Promise<void> {
    const { dir, identity, trust } = this.#options;
    const there = await readdir(dir);
    const bundle = trust();
    const contents = certificateContents(identity.current(), bundle, there);
    for (const [name, text] of contents) {
      const path = join(dir, name);
      if ((await readIfThere(path)) !== text) await writeOwnerOnly(path, text);
    }
    if (bundle.intermediates.length === 0) return;
    // Trust that was taken back must not live on in a file.
    const stale = there.filter((name) => /^anchors?[-.].*\.pem$/.test(name) && !contents.has(name));
    for (const name of stale) await rm(join(dir, name), { force: true });
  }
}
