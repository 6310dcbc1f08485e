import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import type { MeshSpec } from '../core/config/index.ts';
import { MeshError } from '../core/errors.ts';
import { ensureOwnerOnlyDir, writeOwnerOnly } from '../core/identity/index.ts';
import { accept, type Checked } from '../core/validate.ts';
import {
  collectArchive,
  decodeArchive,
  deniedIn,
  encodeArchive,
  Ledger,
  restoreArchive,
  seal,
  unseal,
  voidOutstandingTokens,
} from './ca/index.ts';
import { loadConfig } from './config/index.ts';
import { forgetExportEpoch } from './peering/index.ts';
import { openStore } from './store/index.ts';

/** A hundred rotations would not fill it. */
const mostBytes = 16 * 1024 * 1024;

export interface BackupOptions {
  /** Files and folders, as for `isthmus control`. */
  readonly config: readonly string[];
  readonly file: string;
  /** Secret. */
  readonly passphrase: string;
  /** Of a backup: put it in the place of a file that is there. Default false. */
  readonly force?: boolean;
  readonly clock: Clock;
}

export interface BackupResult {
  readonly cluster: string;
  readonly trustDomain: string;
  /** The root's key is in it. */
  readonly root: boolean;
  readonly createdAt: string;
  /** Join tokens that count no more; of a restore. */
  readonly voided: number;
}

const authorityDir = (mesh: MeshSpec) => join(mesh.stateDir, 'ca');

/** Writes the authority, sealed, to `file` (0600), also while the control plane runs. Violations for a bad configuration; MeshErrors CONFLICT where a file is there already, and as `collectArchive` and `seal`. */
export async function backupAuthority({ config, file, passphrase, force = false, clock }: BackupOptions): Promise<Checked<BackupResult>> {
  const loaded = await loadConfig(config);
  if (!loaded.ok) return loaded;
  const mesh = loaded.value.mesh.spec;
  const { cluster, trustDomain } = mesh;
  if (!force && (await lstat(file).catch(() => undefined)) !== undefined)
    throw new MeshError('CONFLICT', `${file} exists: name another file, or overwrite it with --force`);
  const archive = await collectArchive(authorityDir(mesh), mesh.identity.rootDir);
  const createdAt = new Date(clock.now()).toISOString();
  await writeOwnerOnly(file, await seal(encodeArchive(archive), { cluster, trustDomain, createdAt }, passphrase));
  return accept({ cluster, trustDomain, root: Object.keys(archive.root).length > 0, createdAt, voided: 0 });
}

/**
 * Puts a backup back, where the control plane does not run: outstanding join tokens are void, what is exported begins a new epoch, and serials that were denied
 * are denied again. MeshError CONFLICT for another cluster's, trust domain's or root's, or an older one than what is there; STORE_UNAVAILABLE while the control
 * plane runs; as `unseal` for a file that does not hold. May be repeated.
 */
export async function restoreAuthority({ config, file, passphrase, clock }: BackupOptions): Promise<Checked<BackupResult>> {
  const loaded = await loadConfig(config);
  if (!loaded.ok) return loaded;
  const mesh = loaded.value.mesh.spec;
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new MeshError('NOT_FOUND', `${file} cannot be read`, { cause: error });
  });
  if (text.length > mostBytes) throw new MeshError('LIMIT_EXCEEDED', `${file} is longer than any backup`);
  const { header, content } = await unseal(text, passphrase);
  const { cluster, trustDomain, createdAt } = header;
  if (cluster !== mesh.cluster || trustDomain !== mesh.trustDomain)
    throw new MeshError(
      'CONFLICT',
      `the backup is of cluster ${cluster} of ${trustDomain}, the configuration of ${mesh.cluster} of ${mesh.trustDomain}`,
    );
  const archive = decodeArchive(content);
  await ensureOwnerOnlyDir(mesh.stateDir);
  const store = await openStore(mesh, clock, Math.random);
  try {
    await restoreArchive(archive, authorityDir(mesh), mesh.identity.rootDir);
    const voided = await voidOutstandingTokens(store, clock.now());
    await new Ledger(store).deny(deniedIn(archive), clock.now());
    await forgetExportEpoch(store);
    const root = mesh.identity.rootDir !== undefined && Object.keys(archive.root).length > 0;
    return accept({ cluster, trustDomain, root, createdAt, voided });
  } finally {
    await store.close();
  }
}
