import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { repositoryRoot } from '../../support/deploy-files.ts';
import { inNamespace } from '../servers/index.ts';
import { FOLDER_VARIABLE, killProcessesOf, makeWorkFolder, removeWorkFolder } from '../servers/work-folder.ts';

/** A Debian machine with nothing of ours on it, and no Node: what is written there is seen there alone, and gone with it. */
export interface BareMachine {
  /** Network namespace that commands run in from now on. */
  netns: string;
  /** Runs a script as root. Rejects with what was said when a command of it fails. */
  sh(script: string, input?: string): Promise<string>;
  /** Ends every process of it by SIGKILL, and forgets what does not survive a reboot. */
  powerOff(): Promise<void>;
  /** Idempotent. */
  remove(): Promise<void>;
}

/** $1: a folder to work in; $2: files that the machine has in /tmp; $3: systemctl. Holds the mounts until its standard input ends. */
const holder = `set -eu
at=$1 files=$2 systemctl=$3
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$at"
mkdir "$at/upper" "$at/work" "$at/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$at/upper,workdir=$at/work" "$at/root"
root=$at/root
rm -rf "$root"/usr/bin/node "$root"/usr/bin/npm "$root"/usr/bin/npx "$root"/usr/local/bin/* "$root"/root/* "$root"/root/.[a-z]* "$root"/opt/*
for part in proc sys dev; do mount --rbind "/$part" "$root/$part"; done
for part in tmp run work home var/tmp; do [ ! -d "$root/$part" ] || mount -t tmpfs -o mode=1777 tmpfs "$root/$part"; done
mkdir -p "$root/run/systemd/system" "$root/tmp/packages"
mount --bind "$files" "$root/tmp/packages"
install -m 755 "$systemctl" "$root/usr/local/bin/systemctl"
echo ready
cat >/dev/null`;

export async function startBareMachine(netns: string, files: string): Promise<BareMachine> {
  const folder = await makeWorkFolder('bare-machine');
  const at = join(folder, 'machine');
  await mkdir(at);
  const systemctl = join(repositoryRoot, 'test/real/containers/systemctl.sh');
  const holding = spawn('unshare', ['--mount', '--', 'sh', '-c', holder, 'sh', at, files, systemctl], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(holding.stdout, 'data');
  const machine: BareMachine = {
    netns,
    sh: (script, input = '') => inside({ pid: holding.pid ?? 0, folder, root: join(at, 'root'), netns: machine.netns }, script, input),
    powerOff: async () => {
      killProcessesOf(folder);
      await machine.sh('rm -f /run/*.pid /run/*.log');
    },
    remove: async () => {
      if (holding.exitCode !== null) return;
      killProcessesOf(folder);
      holding.stdin.end();
      await once(holding, 'exit');
      await removeWorkFolder(folder);
    },
  };
  return machine;
}

interface Place {
  readonly pid: number;
  readonly folder: string;
  readonly root: string;
  readonly netns: string;
}

function inside({ pid, folder, root, netns }: Place, script: string, input: string): Promise<string> {
  const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  const shell = [
    'env',
    '-i',
    `PATH=${path}`,
    'HOME=/root',
    `${FOLDER_VARIABLE}=${folder}`,
    'bash',
    '--norc',
    '-euo',
    'pipefail',
    '-c',
    `cd /tmp/packages\n${script}`,
  ];
  const [command, args] = inNamespace(netns, 'nsenter', [`--target=${pid}`, '--mount', '--', 'chroot', root, ...shell]);
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let [out, said] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    child.once('error', reject);
    child.once('exit', (code) => {
      if (code === 0) resolve(out);
      else reject(new Error(`ended with ${code}:\n${script}\n${said}${out}`));
    });
    child.stdin.once('error', () => undefined);
    child.stdin.end(input);
  });
}
