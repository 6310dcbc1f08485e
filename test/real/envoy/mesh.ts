import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { runControl } from '../../../control/main.ts';
import type { Status } from '../../../core/admin/index.ts';
import { silentLog } from '../../../core/log.ts';
import type { GatewayStatus } from '../../../gateway/main.ts';
import type { AgentStatus } from '../../../sidecar-vm/main.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { runCli } from '../../support/run-cli.ts';
import { until } from '../../support/until.ts';
import { cli } from '../scenario/isthmus-process.ts';
import { install, type Running } from '../servers/index.ts';
import { startServer } from '../servers/server-process.ts';
import { makeWorkFolder } from '../servers/work-folder.ts';

// Under .test certificates may be as short as a test wants.
const trustDomain = 'mesh.test';

/** A whole control plane of cluster east, and nodes that join it by token as processes of their own. */
export class EnvoyNodes {
  readonly #t: TestContext;
  readonly #folder: string;
  #control: { readonly stop: AbortController; readonly running: Promise<void> } | undefined;

  private constructor(t: TestContext, folder: string) {
    this.#t = t;
    this.#folder = folder;
  }

  /** `svidTtl`: how long certificates hold. */
  static async start(t: TestContext, svidTtl = '24h'): Promise<EnvoyNodes> {
    const mesh = new EnvoyNodes(t, await temporaryDir(t));
    const folder = mesh.#folder;
    const [grpc, api] = [await deadPort(), await deadPort()];
    const spec = [
      `cluster: east, trustDomain: ${trustDomain}, stateDir: ${folder}/state, identity: {rootDir: ${folder}/root, svidTtl: ${svidTtl}}`,
      `grpc: {listen: '127.0.0.1:${grpc}', advertise: ['127.0.0.1:${grpc}']}`,
      `api: {listen: '127.0.0.1:${api}'}, health: {listen: '127.0.0.1:0'}`,
    ];
    await mkdir(join(folder, 'conf'));
    await writeFile(
      join(folder, 'conf', 'isthmus.yaml'),
      `apiVersion: isthmus.dev/v1alpha1\nkind: Mesh\nmetadata: {name: east}\nspec: {${spec.join(', ')}}\n`,
    );
    await mesh.cli('ca', 'init', '--dir', `${folder}/root`, '--trust-domain', trustDomain);
    await mesh.cli('control', 'init', '-c', `${folder}/conf`);
    await mesh.startControl();
    onEnd(t, () => mesh.stopControl());
    return mesh;
  }

  async startControl(): Promise<void> {
    const stop = new AbortController();
    let ready = false;
    const onReady = () => {
      ready = true;
    };
    const running = runControl({ config: [`${this.#folder}/conf`], drainMs: 1_000, log: silentLog, onReady }, stop.signal);
    running.catch(() => undefined);
    this.#control = { stop, running };
    await until('the control plane', () => ready);
  }

  async stopControl(): Promise<void> {
    this.#control?.stop.abort();
    await this.#control?.running;
    this.#control = undefined;
  }

  /** What a command writes on standard output, however it ends. */
  async said(...args: string[]): Promise<string> {
    return (await this.#run(args)).out;
  }

  async cli(...args: string[]): Promise<string> {
    const { code, out, err } = await this.#run(args);
    if (code !== 0) throw new Error(`isthmus ${args.join(' ')}: exit ${code}: ${err}`);
    return out;
  }

  #run(args: string[]) {
    return runCli(args, { ISTHMUS_CONTEXT_FILE: join(this.#folder, 'context.yaml') });
  }

  async status(): Promise<Status> {
    return JSON.parse(await this.cli('status', '--output', 'json')) as Status;
  }

  /** A VM that serves `shop/NAME:PORT` from `appPort`, if told, and calls what `outbound` says on these ports of 127.0.0.1. */
  async vm(name: string, options: VmOptions = {}): Promise<Node<AgentStatus>> {
    const { serves, outbound = {}, proxy = 'envoy', network = 'east', instance = name } = options;
    const spoken = ['--protocol', serves?.protocol ?? 'http'];
    const token = (await this.cli('vm', 'token', `shop/${name}`, '--port', String(serves?.port ?? 80), ...spoken)).trim();
    const [inbound, dns, admin] = [await deadPort(), await deadPort(), await deadPort()];
    const service =
      serves === undefined
        ? ['--call-only']
        : ['--service', `shop/${name}`, '--port', String(serves.port), '--app-port', String(serves.appPort), ...spoken];
    const args = [
      ...['vm', 'join', token, ...service, '--address', '127.0.0.1', '--instance', `vm-${instance}`, '--network', network, '--no-loopback'],
      ...['--inbound', `127.0.0.1:${inbound}`, '--dns', `127.0.0.1:${dns}`, '--admin', `127.0.0.1:${admin}`, '--drain', '3s'],
      ...Object.entries(outbound).flatMap(([host, port]) => ['--outbound', `${host}=${port}`]),
    ];
    return this.#node<AgentStatus>(`vm-${instance}`, args, proxy, `http://127.0.0.1:${admin}`, '/v1/agent', '/metrics');
  }

  /** `isthmus vm join - ... < FILE`, as a page has it, with a token, and addresses and ports of this machine. */
  async vmBy(line: string, more: readonly string[] = []): Promise<Node<AgentStatus>> {
    const [, service = '', port = ''] = /--service (\S+) --port (\d+)/.exec(line) ?? [];
    const [, proxy = 'isthmus'] = /--proxy (\S+)/.exec(line) ?? [];
    const token = (await this.cli('vm', 'token', service, '--port', port)).trim();
    const [inbound, dns, admin] = [await deadPort(), await deadPort(), await deadPort()];
    const [, command = ''] = /^isthmus (.*) < \S+$/.exec(line) ?? [];
    const args = [
      ...command
        .replace(/--address \S+/, '--address 127.0.0.1')
        .split(' ')
        .map((word) => (word === '-' ? token : word)),
      ...['--inbound', `127.0.0.1:${inbound}`, '--dns', `127.0.0.1:${dns}`, '--admin', `127.0.0.1:${admin}`, '--no-loopback', ...more],
    ];
    return this.#node<AgentStatus>(service.replace('/', '-'), args, proxy, `http://127.0.0.1:${admin}`, '/v1/agent', '/metrics');
  }

  async gateway(name: string, network: string, proxy: 'envoy' | 'isthmus' | 'none'): Promise<Node<GatewayStatus>> {
    const folder = await temporaryDir(this.#t);
    const token = join(folder, 'token');
    await writeFile(token, await this.cli('gateway', 'token', '--network', network), { mode: 0o600 });
    const [listen, health, metrics] = [await deadPort(), await deadPort(), await deadPort()];
    const args = [
      ...['gateway', '--token-file', token, '--advertise', '127.0.0.1', '--instance', name, '--listen', `127.0.0.1:${listen}`],
      ...['--health', `127.0.0.1:${health}`, '--metrics', `127.0.0.1:${metrics}`, '--originate-address', '127.0.0.1', '--drain', '3s'],
    ];
    return this.#node<GatewayStatus>(name, args, proxy, `http://127.0.0.1:${health}`, '/v1/gateway', `http://127.0.0.1:${metrics}/metrics`);
  }

  async #node<S>(name: string, args: string[], proxy: string, base: string, statusPath: string, metrics: string): Promise<Node<S>> {
    const folder = await makeWorkFolder(name);
    const envoy = (await install('envoy')).binary('envoy');
    const stateDir = join(folder, 'state');
    const process_ = await startServer({
      name,
      command: process.execPath,
      args: [cli, ...args, '--state-dir', stateDir, '--proxy', proxy, '--envoy-path', envoy],
      folder,
      ready: async (reach) => (await reach.request({ url: `${base}/healthz/ready` })).status === 200,
    });
    onEnd(this.#t, () => process_.stop());
    return {
      process: process_,
      url: base,
      stateDir,
      status: async () => (await (await fetch(`${base}${statusPath}`)).json()) as S,
      metrics: async () => (await fetch(new URL(metrics, base))).text(),
      log: () => readFile(process_.logFile, 'utf8'),
      admin: (path) => adminOf(join(stateDir, 'envoy', 'admin.sock'), path),
    };
  }
}

export interface VmOptions {
  /** Default protocol: http. */
  readonly serves?: { readonly port: number; readonly appPort: number; readonly protocol?: string };
  readonly outbound?: Readonly<Record<string, number>>;
  readonly proxy?: 'envoy' | 'isthmus' | 'none';
  readonly network?: string;
  /** Default: the service's name. */
  readonly instance?: string;
}

/** A process of `isthmus`, ended with the test, and the Envoy of it too. */
export interface Node<S> {
  readonly process: Running;
  /** Where its status is. */
  readonly url: string;
  readonly stateDir: string;
  status(): Promise<S>;
  metrics(): Promise<string>;
  log(): Promise<string>;
  /** What Envoy's own admin interface answers. */
  admin(path: string): Promise<string>;
}

function adminOf(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path }, (answer) => {
      answer.setEncoding('utf8');
      answer.toArray().then((parts) => resolve(parts.join('')), reject);
    });
    asked.once('error', reject).end();
  });
}
