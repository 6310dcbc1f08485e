import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { Agent, type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { Registry } from 'prom-client';
import { ApiClient } from '../../../cli/api-client.ts';
import { resolveTarget } from '../../../cli/context/target.ts';
import { startEchoApp } from '../../../cli/demo/echo-app.ts';
import { runControl } from '../../../control/main.ts';
import { type ObtainedIdentity, obtainIdentity } from '../../../core/identity/index.ts';
import { silentLog } from '../../../core/log.ts';
import { clusterSan } from '../../../core/model/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { parseGatewayOptions, type RunningGateway, startGateway } from '../../../gateway/main.ts';
import type { AgentOptionsInput } from '../../../sidecar-vm/main.ts';
import { agentOptions, runTestAgent, type TestAgent } from '../../support/agent-plane.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { deadPort, TestSockets } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { runCli } from '../../support/run-cli.ts';
import { until } from '../../support/until.ts';

export interface TestVm extends TestAgent {
  readonly local: number;
  readonly toLegacy: number;
}

export interface MeshNames {
  /** Default mesh.example.org */
  readonly trustDomain?: string;
  /** Default mesh.internal */
  readonly hostSuffix?: string;
}

/** A whole control plane on a folder of configuration, to which VMs join as they do anywhere. */
export class GuardedMesh {
  /** What the control plane logged as wrong. */
  readonly lines: string[] = [];
  /** Idempotent. */
  stopControl: () => Promise<void> = async () => {};
  readonly #t: TestContext;
  readonly #folder: string;
  #healthPort = 0;
  readonly #sockets = new TestSockets();

  readonly #names: Required<MeshNames>;

  private constructor(t: TestContext, folder: string, names: MeshNames) {
    this.#t = t;
    this.#names = { trustDomain: 'mesh.example.org', hostSuffix: 'mesh.internal', ...names };
    this.#folder = folder;
  }

  static async start(t: TestContext, names: MeshNames = {}): Promise<GuardedMesh> {
    const mesh = new GuardedMesh(t, await temporaryDir(t), names);
    await mesh.#startControl();
    onEnd(t, () => mesh.#sockets.close());
    return mesh;
  }

  async cli(...args: string[]): Promise<string> {
    const { code, out, err } = await this.tryCli(...args);
    if (code !== 0) throw new Error(`isthmus ${args.join(' ')}: exit ${code}: ${err}`);
    return out;
  }

  tryCli(...args: string[]) {
    return runCli(args, { ISTHMUS_CONTEXT_FILE: join(this.#folder, 'context.yaml') });
  }

  /** What commands call, without a process for each call. */
  async api(): Promise<ApiClient> {
    const target = await resolveTarget({}, { ISTHMUS_CONTEXT_FILE: join(this.#folder, 'context.yaml') });
    return new ApiClient(target, new AbortController().signal);
  }

  /** The samples of one metric, as the control plane's health listener serves them: labels in the order of their names, without the cluster's. */
  async samples(metric: string): Promise<Readonly<Record<string, number>>> {
    const text = await (await fetch(`http://127.0.0.1:${this.#healthPort}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line.startsWith(`${metric}{`));
    return Object.fromEntries(
      lines.map((line) => {
        const labels = [...line.matchAll(/([a-z_]+)="([^"]*)"/g)].filter(([, name]) => name !== 'isthmus_cluster');
        return [
          labels
            .map(([, name, value]) => `${name}=${value}`)
            .sort()
            .join(' '),
          Number(line.slice(line.lastIndexOf(' '))),
        ];
      }),
    );
  }

  /** A file for commands to read. */
  async file(name: string, text: string): Promise<string> {
    const path = join(this.#folder, name);
    await writeFile(path, text);
    return path;
  }

  /** What a command prints, into a file. */
  async save(file: string, ...args: string[]): Promise<void> {
    await writeFile(file, await this.cli(...args));
  }

  /** Writes or, without text, empties one file of the configuration. */
  configure(name: string, text = ''): Promise<void> {
    return writeFile(join(this.#folder, 'conf', name), text);
  }

  /** `shop/legacy`, an app without a sidecar on a network of its own, where a gateway ends mTLS for it. */
  async legacy(): Promise<RunningGateway> {
    const app = await startEchoApp('legacy');
    onEnd(this.#t, () => app.close());
    const services = join(this.#folder, 'services');
    await mkdir(services);
    const entry = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'ServiceEntry',
      metadata: { name: 'legacy', namespace: 'shop', labels: { app: 'legacy' } },
      spec: {
        hosts: ['legacy.shop.mesh.internal'],
        ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
        resolution: 'STATIC',
        endpoints: [{ address: '127.0.0.1', ports: { http: app.port } }],
      },
    };
    await writeFile(join(services, 'legacy.yaml'), JSON.stringify(entry));
    const registry = `type: file, connection: {path: ${services}}, mapping: {claims: ['*/*'], network: dc}`;
    await this.configure('registry.yaml', `apiVersion: isthmus.dev/v1alpha1\nkind: Registry\nmetadata: {name: dc}\nspec: {${registry}}\n`);
    const any = { address: '127.0.0.1', port: 0 };
    const options = parseGatewayOptions({
      stateDir: await temporaryDir(this.#t),
      token: (await this.cli('gateway', 'token', '--network', 'dc')).trim(),
      instance: 'gw-dc',
      network: 'dc',
      advertise: ['127.0.0.1'],
      listen: any,
      health: any,
      metrics: any,
      drainMs: 1_000,
    });
    if (!options.ok) throw new Error(JSON.stringify(options.violations));
    const deps = { log: silentLog, accessLog: () => undefined, metrics: new Registry() };
    const gateway = await startGateway(options.value, deps, new AbortController().signal);
    onEnd(this.#t, () => gateway.drain());
    return gateway;
  }

  /** A VM of `shop` with an echo app behind its agent, which reaches `orders` on `local` and `legacy` on `toLegacy`. */
  async vm(
    name: string,
    port: number,
    labels: Record<string, string> = {},
    group?: string,
    more: Pick<AgentOptionsInput, 'proxy' | 'envoyPath' | 'engine'> & { readonly expose?: number; readonly protocol?: 'tcp' } = {},
  ): Promise<TestVm> {
    const { expose, protocol = 'http', ...others } = more;
    const exposed = expose === undefined ? {} : { expose: { address: '127.0.0.1', port: expose } };
    const app = await startEchoApp(name);
    onEnd(this.#t, () => app.close());
    const member = group === undefined ? [] : ['--group', group];
    const token = (await this.cli('vm', 'token', `shop/${name}`, '--port', String(port), ...member)).trim();
    const [local, toLegacy] = [await deadPort(), await deadPort()];
    const health = { probe: { kind: 'tcp' as const }, intervalMs: 50, timeoutMs: 500 };
    const options = agentOptions({
      stateDir: await temporaryDir(this.#t),
      token,
      instance: `vm-${name}`,
      ...others,
      network: 'east',
      labels,
      services: [{ namespace: 'shop', name, port, appPort: app.port, protocol, health, ...exposed }],
      outbound: {
        loopbackAddresses: false,
        explicit: {
          [`orders.shop.${this.#names.hostSuffix}:8080`]: local,
          [`legacy.shop.${this.#names.hostSuffix}:80`]: toLegacy,
        },
      },
    });
    return Object.assign(await runTestAgent(this.#t, options), { local, toLegacy });
  }

  /** The identity of a workload without its agent: what somebody holds who speaks mTLS by himself. */
  async identity(name: string): Promise<ObtainedIdentity> {
    const stop = new AbortController();
    onEnd(this.#t, () => stop.abort());
    const token = (await this.cli('vm', 'token', `shop/${name}`, '--port', '80')).trim();
    return obtainIdentity({
      dir: await temporaryDir(this.#t),
      token,
      instance: `bare-${name}`,
      clock: systemClock,
      random: Math.random,
      log: silentLog,
      signal: stop.signal,
    });
  }

  /** One connection to the mTLS end of `orders` on `port`, or to that of `legacy`, kept open. */
  async connect(as: ObtainedIdentity, port: number, to: 'orders' | 'legacy' = 'orders'): Promise<MeshConnection> {
    const { trustDomain } = this.#names;
    const ends = {
      orders: { sni: 'outbound_.8080_._.orders.shop.mesh.internal', id: 'ns/shop/sa/orders' },
      legacy: { sni: 'outbound_.80_.gateway_.legacy.shop.mesh.internal', id: 'ns/isthmus-system/sa/gateway' },
    };
    const { sni, id } = ends[to];
    const socket = await this.#sockets.connectMtls(port, as.current(), as.bundle(), {
      sni,
      uriSans: [`spiffe://${trustDomain}/${id}`],
      clusterSan: clusterSan('east', trustDomain),
      alpn: ['http/1.1'],
    });
    return new MeshConnection(socket);
  }

  async #startControl(): Promise<void> {
    const folder = this.#folder;
    const { trustDomain, hostSuffix } = this.#names;
    const [grpc, api] = [await deadPort(), await deadPort()];
    const spec = [
      `cluster: east, trustDomain: ${trustDomain}, hostSuffix: ${hostSuffix}, stateDir: ${folder}/state, identity: {rootDir: ${folder}/root}`,
      `grpc: {listen: '127.0.0.1:${grpc}', advertise: ['127.0.0.1:${grpc}']}`,
      `api: {listen: '127.0.0.1:${api}'}, health: {listen: '127.0.0.1:0'}`,
    ];
    await mkdir(join(folder, 'conf'));
    const text = `apiVersion: isthmus.dev/v1alpha1\nkind: Mesh\nmetadata: {name: east}\nspec: {${spec.join(', ')}}\n`;
    await this.configure('isthmus.yaml', text);
    await this.cli('ca', 'init', '--dir', `${folder}/root`, '--trust-domain', trustDomain);
    await this.cli('control', 'init', '-c', `${folder}/conf`);
    const stop = new AbortController();
    const log = { ...silentLog, error: (fields: object, message: string) => void this.lines.push(`${message} ${JSON.stringify(fields)}`) };
    const onReady = ({ health }: { readonly health: number }) => {
      this.#healthPort = health;
    };
    const running = runControl({ config: [`${folder}/conf`], drainMs: 1_000, log, onReady }, stop.signal);
    running.catch(() => undefined);
    this.stopControl = async () => {
      stop.abort();
      await running;
    };
    onEnd(this.#t, () => this.stopControl());
    await until('the control plane', () => this.#healthPort !== 0);
  }
}

/** HTTP/1.1 over one mTLS connection, which is never replaced by another. */
export class MeshConnection {
  readonly #socket: TLSSocket;
  readonly #agent: Agent;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    let given = false;
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1 });
    this.#agent.createConnection = () => {
      if (given) throw new Error('the connection was replaced');
      given = true;
      return socket;
    };
  }

  get alive(): boolean {
    return !this.#socket.destroyed;
  }

  async status(path: string): Promise<number> {
    const asked = request({ host: 'orders.shop.mesh.internal', path, agent: this.#agent }).end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    await response.resume().toArray();
    return response.statusCode ?? 0;
  }

  close(): void {
    this.#agent.destroy();
  }
}
