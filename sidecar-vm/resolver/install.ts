import { execFile } from 'node:child_process';
import { lstat, mkdir, readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError } from '../../core/errors.ts';
import { readIfThere } from '../../core/identity/index.ts';
import { mark, resolvConf, resolvedDropIn } from './files.ts';
import { writeReadable } from './write-readable.ts';

export type ResolverMode = 'resolved' | 'resolv-conf';

export interface ResolverSetup {
  /** Where the agent's resolver listens. */
  readonly at: { readonly address: string; readonly port: number };
  /** Suffixes of the mesh, for systemd-resolved. */
  readonly zones: readonly string[];
  /** Default: systemd-resolved where /etc/resolv.conf is its. */
  readonly mode?: ResolverMode | undefined;
}

export interface ResolverState {
  readonly mode: ResolverMode;
  readonly installed: boolean;
  readonly file: string;
}

const filesIn = (etc: string) => ({
  conf: join(etc, 'resolv.conf'),
  before: join(etc, 'resolv.conf.before-isthmus'),
  dropInDir: join(etc, 'systemd', 'resolved.conf.d'),
  dropIn: join(etc, 'systemd', 'resolved.conf.d', 'isthmus.conf'),
});

/** What `installResolver` would write, and where. MeshError CONFIG_INVALID where it cannot. `etc`: for tests. */
export async function planResolver(
  { at, zones, mode }: ResolverSetup,
  etc = '/etc',
): Promise<{ readonly mode: ResolverMode; readonly file: string; readonly text: string }> {
  const files = filesIn(etc);
  const chosen = mode ?? (await usualMode(files.conf));
  if (chosen === 'resolved') return { mode: chosen, file: files.dropIn, text: resolvedDropIn(at, zones) };
  const target = await linkOf(files.conf);
  if (target !== undefined) {
    throw new MeshError(
      'CONFIG_INVALID',
      `${files.conf} is a link to ${target}, whose owner would write it anew: tell that program, or use --mode resolved`,
    );
  }
  if (at.port !== 53) {
    throw new MeshError(
      'CONFIG_INVALID',
      `resolv.conf knows no ports: run vm join again with --dns ${at.address}:53 (the same token will do)`,
    );
  }
  const now = (await readIfThere(files.conf)) ?? '';
  const before = now.startsWith(mark) ? ((await readIfThere(files.before)) ?? '') : now;
  return { mode: chosen, file: files.conf, text: resolvConf(before, at.address) };
}

/** Idempotent. Needs root. MeshErrors as planResolver's. */
export async function installResolver(setup: ResolverSetup, etc = '/etc'): Promise<ResolverState> {
  const { mode, file, text } = await planResolver(setup, etc);
  const files = filesIn(etc);
  if (mode === 'resolved') {
    await mkdir(files.dropInDir, { recursive: true, mode: 0o755 });
    await writeReadable(file, text);
    await tellResolved();
  } else {
    const now = (await readIfThere(files.conf)) ?? '';
    if (!now.startsWith(mark)) await writeReadable(files.before, now);
    await writeReadable(file, text);
  }
  return { mode, installed: true, file };
}

/** Brings back what was there, in both modes; what another program has written since stays. Idempotent. Needs root. */
export async function removeResolver(etc = '/etc'): Promise<void> {
  const files = filesIn(etc);
  if ((await readIfThere(files.dropIn)) !== undefined) {
    await rm(files.dropIn);
    await tellResolved();
  }
  const before = await readIfThere(files.before);
  if (before === undefined) return;
  if ((await readIfThere(files.conf))?.startsWith(mark) === true) await writeReadable(files.conf, before);
  await rm(files.before);
}

export async function showResolver(etc = '/etc'): Promise<ResolverState> {
  const files = filesIn(etc);
  if ((await readIfThere(files.dropIn)) !== undefined) return { mode: 'resolved', installed: true, file: files.dropIn };
  if ((await readIfThere(files.conf))?.startsWith(mark) === true) return { mode: 'resolv-conf', installed: true, file: files.conf };
  const mode = await usualMode(files.conf);
  return { mode, installed: false, file: mode === 'resolved' ? files.dropIn : files.conf };
}

async function usualMode(conf: string): Promise<ResolverMode> {
  return (await linkOf(conf))?.includes('systemd/resolve') === true ? 'resolved' : 'resolv-conf';
}

async function linkOf(path: string): Promise<string | undefined> {
  const isLink = await lstat(path).then(
    (found) => found.isSymbolicLink(),
    () => false,
  );
  return isLink ? readlink(path) : undefined;
}

/** Where systemd does not run it reads the file when it starts. */
function tellResolved(): Promise<void> {
  return new Promise((resolve) =>
    execFile('systemctl', ['try-reload-or-restart', 'systemd-resolved'], { timeout: 15_000 }, () => resolve()),
  );
}
