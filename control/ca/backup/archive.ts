import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError } from '../../../core/errors.ts';
import { ensureOwnerOnlyDir, readIfThere, writeOwnerOnly } from '../../../core/identity/index.ts';
import { fingerprintOf, parseCertificate, pemBlocks } from '../../../core/pki/index.ts';
import { peering } from '../../../core/xds/index.ts';
import { readStatement } from '../rotation/statement.ts';
import type { StoredTrust } from '../rotation/trusted-roots.ts';

/** The authority's files by name; keys among them: it is sealed before it is written anywhere. */
export interface Archive {
  /** stateDir/ca */
  readonly authority: Readonly<Record<string, string>>;
  /** identity.rootDir; empty where the root is elsewhere. */
  readonly root: Readonly<Record<string, string>>;
}

const authorityFile = /^(intermediate|staged|previous|roots|pending)\.pem$|^(trust|denied|jwt-keys)\.json$/;
const rootFile = /^root(-[0-9a-f]+)?\.pem$/;
const mostLooks = 8;

/** All of it as it was at one moment, also while the control plane runs. MeshError NOT_FOUND where there is no authority yet, CONFLICT when it never holds still. */
export async function collectArchive(authorityDir: string, rootDir: string | undefined): Promise<Archive> {
  let before = '';
  for (let look = 0; look < mostLooks; look++) {
    const archive: Archive = {
      authority: await filesOf(authorityDir, authorityFile),
      root: rootDir === undefined ? {} : await filesOf(rootDir, rootFile),
    };
    if (archive.authority['intermediate.pem'] === undefined && Object.keys(archive.root).length === 0)
      throw new MeshError('NOT_FOUND', `${authorityDir} holds no signing certificate: there is nothing to back up yet`);
    const text = JSON.stringify(archive);
    if (text === before) return archive;
    before = text;
  }
  throw new MeshError('CONFLICT', 'the files of the authority change again and again: try again in a moment', { retryable: true });
}

export function encodeArchive(archive: Archive): Buffer {
  return Buffer.from(JSON.stringify(archive));
}

/** MeshError CONFIG_INVALID for names that no authority has: nothing else is ever written. */
export function decodeArchive(bytes: Uint8Array): Archive {
  const { authority, root } = JSON.parse(Buffer.from(bytes).toString('utf8')) as Archive;
  const strange = [
    ...Object.keys(authority).filter((name) => !authorityFile.test(name)),
    ...Object.keys(root).filter((name) => !rootFile.test(name)),
  ];
  if (strange.length > 0) throw new MeshError('CONFIG_INVALID', `the backup holds a file that no authority has: ${strange[0]}`);
  return { authority, root };
}

/**
 * Puts the files back. MeshError CONFLICT, and nothing changed, where what lies there is of another trust domain's root, or knows newer
 * statements about roots than the backup: what was retired since would count again.
 */
export async function restoreArchive(archive: Archive, authorityDir: string, rootDir: string | undefined): Promise<void> {
  const here = await filesOf(authorityDir, authorityFile);
  const [own, theirs] = [trustIn(here), trustIn(archive.authority)];
  if (own.roots.length > 0 && !own.roots.some((root) => theirs.roots.includes(root)))
    throw new MeshError('CONFLICT', `${authorityDir} belongs to another root: a backup is restored onto an empty state or onto its own`);
  if (own.version > theirs.version)
    throw new MeshError(
      'CONFLICT',
      `${authorityDir} knows statement ${own.version} about roots, the backup only ${theirs.version}: a root that was retired would count again`,
    );
  if (rootDir !== undefined && Object.keys(archive.root).length > 0) {
    const present = await filesOf(rootDir, rootFile);
    const foreign = Object.entries(present).find(([name, text]) => archive.root[name] !== undefined && archive.root[name] !== text);
    if (foreign !== undefined) throw new MeshError('CONFLICT', `${join(rootDir, foreign[0])} is another root: a root is never overwritten`);
    await ensureOwnerOnlyDir(rootDir);
    for (const [name, text] of Object.entries(archive.root)) await writeOwnerOnly(join(rootDir, name), text);
  }
  await ensureOwnerOnlyDir(authorityDir);
  // What is trusted first, the key that signs last: a crash between leaves nothing that nobody can verify.
  const last = (name: string) => (name === 'intermediate.pem' ? 1 : 0);
  const files = Object.entries(archive.authority).sort(([a], [b]) => last(a) - last(b));
  for (const [name, text] of files) await writeOwnerOnly(join(authorityDir, name), text);
}

/** Denied serials that it holds, with Unix ms until which they count. */
export function deniedIn(archive: Archive): readonly string[] {
  const { serials } = JSON.parse(archive.authority['denied.json'] ?? '{"serials":[]}') as { serials: string[] };
  return serials.filter((serial) => /^[0-9a-f]{1,40}$/.test(serial));
}

function trustIn(files: Readonly<Record<string, string>>): { readonly roots: readonly string[]; readonly version: number } {
  const trust = JSON.parse(files['trust.json'] ?? '{"roots":[],"statements":[]}') as StoredTrust;
  const ders = [...trust.roots.map((text) => Buffer.from(text, 'base64')), ...pemBlocks(files['roots.pem'] ?? '', 'CERTIFICATE')];
  const roots = ders.flatMap((der) => {
    const parsed = parseCertificate(der);
    return parsed.ok ? [fingerprintOf(parsed.value)] : [];
  });
  const versions = trust.statements.flatMap((text) => {
    const read = readStatement(peering.TrustStatement.decode(Buffer.from(text, 'base64')));
    return read.ok ? [read.value.version] : [];
  });
  return { roots, version: Math.max(0, ...versions) };
}

async function filesOf(dir: string, wanted: RegExp): Promise<Record<string, string>> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const files: Record<string, string> = {};
  for (const name of names.filter((each) => wanted.test(each)).sort()) {
    const text = await readIfThere(join(dir, name));
    if (text !== undefined) files[name] = text;
  }
  return files;
}
