import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { repositoryRoot } from '../../support/deploy-files.ts';
import { until } from '../../support/until.ts';
import type { Host, Running } from '../servers/index.ts';
import { FOLDER_VARIABLE } from '../servers/work-folder.ts';
import { commandInside, startContainer } from './container.ts';

/** A machine of a root's own, on which a page's commands can be run one after another. */
export interface Machine {
  readonly host: Host;
  /** Runs a script as root in /opt/isthmus. Rejects with what was said when a command of it fails. */
  sh(script: string, input?: string): Promise<string>;
  stop(): Promise<void>;
}

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export async function startMachine(host: Host): Promise<Machine> {
  const mounts = [{ from: join(repositoryRoot, 'deploy'), to: '/opt/isthmus/deploy', readOnly: true }];
  const spec = {
    name: host.name,
    image: 'machine',
    command: ['sleep', 'infinity'],
    mounts,
    readOnlyRoot: false,
    netns: host.netns,
  } as const;
  const running = await startContainer(spec, async () => true);
  const env = { PATH: path, HOME: '/root', [FOLDER_VARIABLE]: running.folder };
  // Before the process has its own root, a command would find itself in this machine's.
  await until('the machine has its root', () => shell(running, env, 'test -e /opt/isthmus/deploy && echo there', ''));
  return {
    host,
    sh: (script, input = '') => shell(running, env, `cd /opt/isthmus\n${script}`, input),
    stop: () => running.stop(),
  };
}

function shell(running: Running, env: Record<string, string>, script: string, input: string): Promise<string> {
  const [command, args] = commandInside(running, 0, ['bash', '--norc', '-euo', 'pipefail', '-c', script]);
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    let said = '';
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(out);
      else reject(new Error(`ended with ${code}:\n${script}\n${said}${out}`));
    });
    // A command that reads nothing may end before it is written.
    child.stdin.once('error', () => undefined);
    child.stdin.end(input);
  });
}
