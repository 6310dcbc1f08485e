import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../../support/until.ts';
import { type ControlHost, cli, runIsthmus } from '../scenario/isthmus-process.ts';
import type { Host, Running } from '../servers/index.ts';
import { startServer } from '../servers/server-process.ts';
import { makeWorkFolder } from '../servers/work-folder.ts';
import type { Outcome } from './grpc-client.ts';

const serverScript = fileURLToPath(new URL('./grpc-server.js', import.meta.url));
const clientScript = fileURLToPath(new URL('./grpc-client.js', import.meta.url));

/** A machine with an agent of that identity, for programs that speak mTLS themselves. */
export interface Machine {
  readonly host: Host;
  readonly agent: Running;
  readonly stateDir: string;
  /** `isthmus grpc bootstrap` there; what it printed. */
  bootstrap(...args: string[]): Promise<string>;
}

export interface MachineOptions {
  /** NAMESPACE/NAME, of whose account the identity is. */
  readonly identity: string;
  /** Registers the machine as an instance of it: port 8080, which a program of its own serves with mTLS on 50051. */
  readonly serves?: boolean;
}

const service = ({ identity }: MachineOptions, { address }: Host) => [
  ...['--proxy', 'none', '--service', identity, '--port', '8080', '--app-port', '50051', '--protocol', 'grpc'],
  ...['--inbound', `${address}:50051`],
];

export async function joinMachine(host: Host, control: ControlHost, options: MachineOptions): Promise<Machine> {
  const { identity, serves = false } = options;
  const token = await control.run('vm', 'token', identity, '--port', '8080', '--protocol', 'grpc', '--max-uses', '1');
  const folder = await makeWorkFolder(`agent-${host.name}`);
  const stateDir = join(folder, 'state');
  const agent = await startServer({
    name: `agent-${host.name}`,
    command: process.execPath,
    args: [
      ...[cli, 'vm', 'join', token, '--grpc', '--address', host.address, '--instance', host.name, '--state-dir', stateDir],
      ...(serves ? service(options, host) : ['--call-only']),
    ],
    netns: host.netns,
    folder,
    ready: async (reach) => (await reach.request({ url: 'http://127.0.0.1:15021/healthz/ready' })).status === 200,
  });
  const bootstrap = async (...args: string[]) => {
    const done = await runIsthmus(host, ['grpc', 'bootstrap', '--state-dir', stateDir, '--refresh', '1', ...args]);
    if (done.code !== 0) throw new Error(done.stderr);
    return done.stdout;
  };
  await until('the anchor of the own cluster', () => readFile(join(stateDir, 'certificates', `anchor-${host.site}.pem`), 'utf8'));
  return { host, agent, stateDir, bootstrap };
}

export interface Program extends Running {
  /** Waits for the answer of the program's own HTTP. */
  ask(path: string): Promise<string>;
}

export interface ServerOptions {
  /** NAMESPACE/NAME:PORT. Default shop/orders:8080. */
  readonly serves?: string;
  /** Default true. */
  readonly rbac?: boolean;
}

/** Binds 0.0.0.0:50051 of the machine. */
export async function startGrpcServer({ host, bootstrap }: Machine, options: ServerOptions = {}): Promise<Program> {
  const { serves = 'shop/orders:8080', rbac = true } = options;
  const bind = '0.0.0.0:50051';
  const text = await bootstrap('--inbound', `${serves}=${bind}`, '--instance', `${host.name}.server`);
  return program(host, text, 8081, [serverScript, host.name, bind], rbac ? { GRPC_XDS_EXPERIMENTAL_RBAC: 'true' } : {});
}

export async function startGrpcClient({ host, bootstrap }: Machine, change = (text: string) => text): Promise<Program> {
  return program(host, change(await bootstrap('--instance', `${host.name}.client`)), 8080, [clientScript], {});
}

async function program(host: Host, text: string, port: number, args: string[], env: Readonly<Record<string, string>>): Promise<Program> {
  const folder = await makeWorkFolder(`grpc-${host.name}`);
  const file = join(folder, 'grpc.json');
  await writeFile(file, text);
  const url = `http://127.0.0.1:${port}`;
  const running = await startServer({
    name: `grpc-${host.name}`,
    command: process.execPath,
    args,
    env: { ...env, GRPC_XDS_BOOTSTRAP: file },
    netns: host.netns,
    folder,
    ready: async (reach) => (await reach.request({ url })).status === 200,
  });
  const ask = async (path: string) => {
    const { status, body } = await running.reach.request({ url: `${url}${path}` });
    if (status !== 200) throw new Error(body);
    return body;
  };
  return Object.assign(running, { ask });
}

const orders = 'xds:///orders.shop.mesh.internal:8080';

export async function calls(
  client: Program,
  count: number,
  more: { fresh?: boolean; target?: string; deadline?: number; certificates?: string } = {},
): Promise<Outcome[]> {
  const query = new URLSearchParams({ target: more.target ?? orders, count: `${count}`, deadline: `${more.deadline ?? 5_000}` });
  if (more.fresh === true) query.set('fresh', '1');
  if (more.certificates !== undefined) query.set('certificates', more.certificates);
  return JSON.parse(await client.ask(`/call?${query}`)) as Outcome[];
}

/** Who answered, each once, sorted; throws on a call that failed. */
export function answered(outcomes: readonly Outcome[]): readonly string[] {
  const names = outcomes.map((outcome) => {
    if ('error' in outcome) throw new Error(`a call failed: ${outcome.error}`);
    return outcome.ok.server;
  });
  return [...new Set(names)].sort();
}

/** Calls without a pause until `stop`, each on its own channel if `fresh`; what came of them, in order. */
export function steadyCalls(client: Program, fresh: boolean): { readonly outcomes: Outcome[]; stop(): Promise<void> } {
  const outcomes: Outcome[] = [];
  let stopped = false;
  const running = (async () => {
    while (!stopped) outcomes.push(...(await calls(client, 1, { fresh })));
  })();
  return {
    outcomes,
    stop: () => {
      stopped = true;
      return running;
    },
  };
}
