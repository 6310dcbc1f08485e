import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { AgentStatus } from '../../../sidecar-vm/main.ts';
import type { Host } from '../servers/index.ts';
import { inNamespace } from '../servers/index.ts';

export interface CaptureScene {
  readonly servicePort: number;
  readonly inboundPort: number;
}

export interface CaptureControl {
  readonly tokens: { readonly orders: string; readonly web: string };
  stop(): Promise<void>;
}

/** A program as its parent sees it; killed by its own id. */
export interface Program {
  readonly child: ChildProcess;
  kill9(): Promise<void>;
}

const fileOf = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const cliMain = fileOf('../../../cli/main.js');

export async function startCaptureControl({ netns }: Host, scene: CaptureScene): Promise<CaptureControl> {
  const [command, args] = inNamespace(netns, process.execPath, [fileOf('./control.js'), JSON.stringify(scene)]);
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const tokens = await new Promise<CaptureControl['tokens']>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the control plane ended with ${code}`)));
    child.once('message', (said) => resolve(said as CaptureControl['tokens']));
  });
  return { tokens, stop: () => ended(child, () => child.disconnect()) };
}

/** `uid`: who runs it, with no capability; default root. */
export function startProgram({ netns }: Host, command: string, args: readonly string[], uid?: number): Program {
  const [file, full] = inNamespace(netns, ...asUser(uid, command, args));
  const child = spawn(file, full, { stdio: ['ignore', 'pipe', 'ignore'] });
  return { child, kill9: () => ended(child, () => void child.kill('SIGKILL')) };
}

export function startAgent(host: Host, options: object, uid?: number): Program & { readonly access: Readonly<Record<string, unknown>>[] } {
  const program = startProgram(host, process.execPath, [fileOf('../drain/agent-process.js'), JSON.stringify(options)], uid);
  const access: Readonly<Record<string, unknown>>[] = [];
  let rest = '';
  program.child.stdout?.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.startsWith('{')) access.push(JSON.parse(line) as Readonly<Record<string, unknown>>);
  });
  return { ...program, access };
}

/** Runs to its end; never rejects for how it ends. */
export function run(
  { netns }: Host,
  command: string,
  args: readonly string[],
  uid?: number,
): Promise<{ code: number; out: string; err: string }> {
  const [file, full] = inNamespace(netns, ...asUser(uid, command, args));
  return new Promise((resolve, reject) => {
    execFile(file, full, { timeout: 30_000 }, (error, out, err) => {
      const code = error === null ? 0 : error.code;
      if (typeof code === 'number') resolve({ code, out, err });
      else reject(error);
    });
  });
}

export function isthmus(host: Host, args: readonly string[], uid?: number): Promise<{ code: number; out: string; err: string }> {
  return run(host, process.execPath, [cliMain, ...args], uid);
}

export async function statusOf(host: Host, port: number): Promise<AgentStatus> {
  const reply = await host.reach.request({ url: `http://127.0.0.1:${port}/v1/agent` });
  return JSON.parse(reply.body) as AgentStatus;
}

/** With no right but to bind low ports, as the systemd unit gives it. */
function asUser(uid: number | undefined, command: string, args: readonly string[]): [string, string[]] {
  if (uid === undefined) return [command, [...args]];
  const who = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--bounding-set=-all', '--no-new-privs'];
  return ['setpriv', [...who, '--', command, ...args]];
}

async function ended(child: ChildProcess, end: () => void): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  end();
  await exit;
}
