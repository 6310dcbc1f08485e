import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inNamespace, install, type Reach, type Running } from '../servers/index.ts';
import { startServer } from '../servers/server-process.ts';
import { makeWorkFolder, removeWorkFolder } from '../servers/work-folder.ts';

/** A folder or file of this machine as the container sees it; `to` is absolute. */
export interface ContainerMount {
  readonly from: string;
  readonly to: string;
  readonly readOnly: boolean;
}

export interface ContainerSpec {
  readonly name: string;
  /**
   * Of the images that the deployments name: each has the programs that it has there, and its user. `machine`: no image but a Debian
   * with Node, where root installs what is in /opt/isthmus.
   */
  readonly image: 'isthmus' | 'consul' | 'nomad' | 'machine';
  /** Whole: entry point and arguments. */
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly mounts?: readonly ContainerMount[];
  readonly readOnlyRoot: boolean;
  /** Network namespace; `none`: one of its own without any interface. */
  readonly netns: string | 'none';
}

const repository = fileURLToPath(new URL('../../../../', import.meta.url));

/**
 * Runs what a container runtime would run, as it would run: on a root of its own that holds the product where the image has it, with the
 * given mounts alone, and, for the product's own image, as its user without any capability. What it does not show: that the
 * image builds, control groups, and seccomp.
 */
export async function startContainer(spec: ContainerSpec, ready: (reach: Reach) => Promise<boolean>): Promise<Running> {
  const folder = await makeWorkFolder(spec.name);
  const { command, args, env } = await commandOf(spec, folder);
  const netns = spec.netns === 'none' ? undefined : spec.netns;
  return startServer({ name: spec.name, command, args, env, folder, ready, netns });
}

/** A command line that runs in a container that runs already, as its user or another one. */
export function commandInside(running: Running, user: number, command: readonly string[]): [string, string[]] {
  const as = ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--'];
  return ['nsenter', [`--target=${running.pid}`, '--mount', '--net', '--root', '--wdns=/', '--', ...as, ...command]];
}

export interface Finished {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs it to its end. */
export async function runContainer(spec: ContainerSpec): Promise<Finished> {
  const folder = await makeWorkFolder(spec.name);
  try {
    const { command, args, env } = await commandOf(spec, folder);
    const [file, line] = inNamespace(spec.netns === 'none' ? undefined : spec.netns, command, args);
    return await new Promise((resolve, reject) => {
      const options = { env: { PATH: process.env['PATH'] ?? '', ...env }, timeout: 60_000 };
      execFile(file, line, options, (error, out, err) => {
        const code = error === null ? 0 : error.code;
        if (typeof code === 'number') resolve({ code, out, err });
        else reject(new Error(`${spec.name} did not end by itself: ${err}`, { cause: error }));
      });
    });
  } finally {
    await removeWorkFolder(folder);
  }
}

/** $1: where the root is made; $2: the repository; $3: programs, `NAME=FILE`, one a line; $4: mounts, `FROM TO MODE`; $5: user, or empty; $6: rw or ro, for the root. */
const script = `set -eu
root=$1 repository=$2 programs=$3 mounts=$4 user=$5 access=$6
shift 6
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$root"
for part in /*; do
  case $part in /usr|/bin|/sbin|/lib*) ;; /dev|/proc|/sys) ;; *) continue ;; esac
  if [ -L "$part" ]; then cp -P "$part" "$root$part"; else mkdir "$root$part"; mount --rbind "$part" "$root$part"; fi
  case $part in /dev|/proc|/sys) ;; *) [ -L "$part" ] || mount -o remount,bind,ro "$root$part" ;; esac
done
mkdir -p "$root/etc/systemd/system" "$root/root" "$root/tmp" "$root/run" "$root/var/lib" "$root/home/node" "$root/opt/isthmus"
for file in passwd group nsswitch.conf; do cp "/etc/$file" "$root/etc/"; done
for part in build node_modules package.json; do
  if [ -d "$repository$part" ]; then mkdir "$root/opt/isthmus/$part"; else touch "$root/opt/isthmus/$part"; fi
  mount --bind "$repository$part" "$root/opt/isthmus/$part"
done
mount -t tmpfs -o mode=755 tmpfs "$root/usr/local/bin"
echo "$programs" | while IFS='=' read -r name file; do
  [ -n "$name" ] || continue
  case $file in
    /opt/*) printf '#!/bin/sh\\nexec node %s "$@"\\n' "$file" > "$root/usr/local/bin/$name"; chmod 755 "$root/usr/local/bin/$name" ;;
    *) touch "$root/usr/local/bin/$name"; mount --bind "$file" "$root/usr/local/bin/$name" ;;
  esac
done
echo "$mounts" | while read -r from to mode; do
  [ -n "$from" ] || continue
  if [ -d "$from" ]; then mkdir -p "$root$to"; else mkdir -p "$(dirname "$root$to")"; touch "$root$to"; fi
  mount --bind "$from" "$root$to"
  [ "$mode" = rw ] || mount -o remount,bind,ro "$root$to"
done
mount -o "remount,$access" "$root"
[ -n "$user" ] || exec chroot "$root" "$@"
exec chroot "$root" setpriv --reuid="$user" --regid="$user" --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all "$@"`;

async function commandOf(spec: ContainerSpec, folder: string): Promise<{ command: string; args: string[]; env: Record<string, string> }> {
  const root = join(folder, 'root');
  await mkdir(root);
  const programs = await programsOf(spec.image);
  const mounts = (spec.mounts ?? []).map(({ from, to, readOnly }) => `${from} ${to} ${readOnly ? 'ro' : 'rw'}`);
  const user = spec.image === 'isthmus' ? '1000' : '';
  const own = spec.netns === 'none' ? ['--mount', '--net'] : ['--mount'];
  const access = spec.readOnlyRoot ? 'ro' : 'rw';
  const given = [root, repository, programs.join('\n'), mounts.join('\n'), user, access];
  const args = [...own, '--', 'sh', '-c', script, 'sh', ...given, ...spec.command];
  const env = { PATH: '/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: user === '' ? '/' : '/home/node' };
  return { command: 'unshare', args, env: { ...env, ...spec.env } };
}

async function programsOf(image: ContainerSpec['image']): Promise<string[]> {
  if (image === 'machine') {
    return [`node=${process.execPath}`, `systemctl=${join(repository, 'test/real/containers/systemctl.sh')}`];
  }
  if (image !== 'isthmus') return [`${image}=${(await install(image)).binary(image)}`];
  return [
    `node=${process.execPath}`,
    'isthmus=/opt/isthmus/build/cli/main.js',
    `isthmus-first-start=${join(repository, 'deploy/container/first-start.sh')}`,
  ];
}
