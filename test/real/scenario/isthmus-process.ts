import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Status } from '../../../core/admin/index.ts';
import type { Host, Running } from '../servers/index.ts';
import { inNamespace } from '../servers/index.ts';
import { startServer } from '../servers/server-process.ts';
import { makeWorkFolder } from '../servers/work-folder.ts';
import type { GrpcCalls } from './grpc-caller.ts';

export const cli = fileURLToPath(new URL('../../../cli/main.js', import.meta.url));
const app = fileURLToPath(new URL('./app.js', import.meta.url));
const grpcApp = fileURLToPath(new URL('./grpc-app.js', import.meta.url));
const grpcCaller = fileURLToPath(new URL('./grpc-caller.js', import.meta.url));

/** One control plane on a host of its own, driven by the commands that an operator has there. */
export interface ControlHost {
  readonly process: Running;
  readonly host: Host;
  /** Rejects with what the command said when it fails. */
  run(...args: string[]): Promise<string>;
  /** The same, however it ends. */
  tryRun(...args: string[]): Promise<CliRun>;
  status(): Promise<Status>;
  /** Commands as a person types them on that host, `isthmus` among them; what they print. */
  shell(commands: string, env?: Readonly<Record<string, string>>): Promise<string>;
}

/** `isthmus ca init` (where it holds the root), `control init` with those flags, `control`. `config` is isthmus.yaml; `{state}` and `{root}` stand for its folders. */
export async function startControl(
  host: Host,
  config: string,
  root: string | undefined,
  initFlags: readonly string[] = [],
): Promise<ControlHost> {
  const folder = await makeWorkFolder(`control-${host.site}`);
  const file = join(folder, 'isthmus.yaml');
  await writeFile(file, config.replaceAll('{state}', join(folder, 'state')).replaceAll('{root}', join(folder, 'root')), { mode: 0o600 });
  const env = { ISTHMUS_CONTEXT_FILE: join(folder, 'context.yaml') };
  const run = (...args: string[]) => runCli(host, args, { ...env, HOME: folder });
  if (root !== undefined) await run('ca', 'init', '--dir', join(folder, 'root'), '--trust-domain', root);
  await run('control', 'init', '-c', file, ...initFlags);
  const process_ = await startServer({
    name: `control-${host.site}`,
    command: process.execPath,
    args: [cli, 'control', '-c', file],
    env,
    netns: host.netns,
    folder,
    // Live, not ready: a joiner is ready only once it has joined.
    ready: async (reach) => (await reach.request({ url: 'http://127.0.0.1:15021/healthz' })).status === 200,
  });
  const tryRun = (...args: string[]) => runIsthmus(host, args, { ...env, HOME: folder });
  const shell = (commands: string, more: Readonly<Record<string, string>> = {}) =>
    runShell(host, commands, { ...env, HOME: folder, ...more });
  const status = async () => JSON.parse(await run('status', '--output', 'json')) as Status;
  return { process: process_, host, run, tryRun, shell, status };
}

export interface GatewayHost {
  readonly process: Running;
  /** Ends it and starts it on the host's present address. */
  moved(): Promise<void>;
}

/** `flags` in place of `--advertise` with the host's address. */
export async function startGateway(host: Host, control: ControlHost, flags?: readonly string[]): Promise<GatewayHost> {
  const token = await control.run('gateway', 'token', '--max-uses', '1');
  const folder = await makeWorkFolder(`gateway-${host.site}`);
  await writeFile(join(folder, 'token'), token, { mode: 0o600 });
  const start = () =>
    startServer({
      name: `gateway-${host.site}`,
      command: process.execPath,
      args: [
        cli,
        'gateway',
        '--token-file',
        join(folder, 'token'),
        '--state-dir',
        join(folder, 'state'),
        ...(flags ?? ['--advertise', host.address]),
        '--instance',
        host.name,
      ],
      netns: host.netns,
      folder,
      ready: async (reach) => (await reach.request({ url: 'http://127.0.0.1:15021/healthz/ready' })).status === 200,
    });
  let running = await start();
  return {
    get process() {
      return running;
    },
    moved: async () => {
      await running.kill9();
      running = await start();
    },
  };
}

export interface VmOptions {
  readonly service: string;
  readonly port: number;
  /** Absent: it only calls. */
  readonly appPort?: number;
  /** Of `--health`; default `http:/healthz`. */
  readonly health?: string;
  /** More of `isthmus vm join`. */
  readonly flags?: readonly string[];
}

export async function joinVm(host: Host, control: ControlHost, vm: VmOptions): Promise<Running> {
  const token = await control.run('vm', 'token', vm.service, '--port', String(vm.port), '--max-uses', '1');
  const folder = await makeWorkFolder(`agent-${host.name}`);
  const app = [
    '--service',
    vm.service,
    '--port',
    String(vm.port),
    '--app-port',
    String(vm.appPort),
    '--health',
    vm.health ?? 'http:/healthz',
  ];
  const more = [...(vm.appPort === undefined ? ['--call-only'] : app), ...(vm.flags ?? [])];
  return startServer({
    name: `agent-${host.name}`,
    command: process.execPath,
    args: [cli, 'vm', 'join', token, ...more, '--address', host.address, '--instance', host.name, '--state-dir', join(folder, 'state')],
    netns: host.netns,
    folder,
    ready: async (reach) => (await reach.request({ url: 'http://127.0.0.1:15021/healthz/ready' })).status === 200,
  });
}

/** The echo application as a process of a host. */
export async function startApp(host: Host, name: string, address: string, port: number): Promise<Running> {
  const folder = await makeWorkFolder(`app-${name}`);
  return startServer({
    name: `app-${name}`,
    command: process.execPath,
    args: [app, name, address, String(port)],
    netns: host.netns,
    folder,
    ready: async (reach) => (await reach.request({ url: `http://${address}:${port}/healthz` })).status === 200,
  });
}

/** The gRPC application as a process of a host. */
export async function startGrpcApp(host: Host, port: number): Promise<Running> {
  return startServer({
    name: `grpc-${host.name}`,
    command: process.execPath,
    args: [grpcApp, String(port)],
    netns: host.netns,
    folder: await makeWorkFolder(`grpc-${host.name}`),
    ready: async (reach) => (await reach.dial('127.0.0.1', port, 1_000)) === 'open',
  });
}

/** What a gRPC program of that host gets from it. Rejects with what the program said when it fails. */
export async function grpcCalls(host: Host, name: string, port: number): Promise<GrpcCalls> {
  const [command, args] = inNamespace(host.netns, process.execPath, [grpcCaller, name, String(port)]);
  const { stdout } = await promisify(execFile)(command, args, { timeout: 30_000 });
  return JSON.parse(stdout) as GrpcCalls;
}

export interface CliRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `isthmus ARGS` on a host, to its end; one that is still there after 60 s is killed and counts as failed. */
export function runIsthmus(host: Host, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliRun> {
  const [command, full] = inNamespace(host.netns, process.execPath, [cli, ...args]);
  const options = { env: { PATH: process.env['PATH'] ?? '', ...env }, timeout: 60_000, maxBuffer: 64 * 1024 * 1024 };
  return new Promise((resolve) => {
    execFile(command, full, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr: stderr.trim() || (error?.message ?? '') });
    });
  });
}

function runShell(host: Host, commands: string, env: Readonly<Record<string, string>>): Promise<string> {
  const script = `isthmus() { "${process.execPath}" "${cli}" "$@"; }\n${commands}`;
  const [command, args] = inNamespace(host.netns, 'bash', ['--norc', '-euo', 'pipefail', '-c', script]);
  return new Promise((resolve, reject) => {
    execFile(command, args, { env: { PATH: process.env['PATH'] ?? '', ...env }, timeout: 60_000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${commands.trim()}: ${stderr.trim() || error.message}`, { cause: error }));
    });
  });
}

async function runCli(host: Host, args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  const { code, stdout, stderr } = await runIsthmus(host, args, env);
  if (code !== 0) throw new Error(`isthmus ${args.slice(0, 2).join(' ')} on ${host.name} ended with ${code}: ${stderr}`);
  return stdout.trim();
}

export async function logOf(running: Running): Promise<string> {
  return readFile(running.logFile, 'utf8').catch(() => '');
}
