import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { native, nativeTypeUrls } from '../../../core/xds/index.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { deadPort, TestSockets } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { repositoryRoot } from '../../support/repository-root.ts';
import { until } from '../../support/until.ts';
import { encoded, GatewaySite } from './gateway-site.ts';

export interface GatewayProcess {
  readonly child: ChildProcess;
  readonly log: string[];
  readonly exit: Promise<number | NodeJS.Signals>;
}

/** Gateways as processes, one after the other on the same ports, that lead bytes through both crossings to an app which echoes them. */
export class ProcessSite {
  readonly sockets = new TestSockets();
  readonly callers: number;
  readonly health: number;
  readonly socket: string;
  readonly #t: TestContext;
  readonly #flags: readonly string[];

  private constructor(t: TestContext, ports: { callers: number; health: number }, socket: string, flags: readonly string[]) {
    this.#t = t;
    this.callers = ports.callers;
    this.health = ports.health;
    this.socket = socket;
    this.#flags = flags;
  }

  static async start(t: TestContext): Promise<ProcessSite> {
    const site = await GatewaySite.start(t);
    const [eastWest, callers, health, metrics] = [await deadPort(), await deadPort(), await deadPort(), await deadPort()];
    const stateDir = await temporaryDir(t);
    const token = join(await temporaryDir(t), 'token');
    await writeFile(token, await site.token());
    // Short: the path of a socket has 107 bytes at most.
    const folder = await mkdtemp(join(tmpdir(), 'gw-'));
    onEnd(t, () => rm(folder, { recursive: true, force: true }));
    const socket = join(folder, 'hand-over');
    const places = ['--listen', `127.0.0.1:${eastWest}`, '--health', `127.0.0.1:${health}`, '--metrics', `127.0.0.1:${metrics}`];
    const who = ['--instance', 'gw-1', '--network', 'net-a', '--advertise', '127.0.0.1', '--originate-address', '127.0.0.1'];
    const kept = ['--state-dir', stateDir, '--token-file', token, '--hand-over', socket, '--drain', '60s'];
    const made = new ProcessSite(t, { callers, health }, socket, [...places, ...who, ...kept]);
    onEnd(t, async () => made.sockets.close());
    const { port } = await made.sockets.serve((each) => each.pipe(each));
    const value = { port: callers, protocol: native.Protocol.TCP, clusterName: 'outbound|80||orders.shop.mesh.internal' };
    const listener = {
      name: `originate|${callers}`,
      kind: { $case: 'originate' as const, value: { ...value, allowedCidrs: ['127.0.0.0/8'] } },
    };
    site.serve({
      terminate: [port],
      terminateProtocol: native.Protocol.TCP,
      outbound: [site.behind(eastWest, 'gateway')],
      extra: { [nativeTypeUrls.listener]: [encoded(native.Listener, listener.name, listener)] },
    });
    return made;
  }

  /** The last of the same flags counts. */
  spawn(...flags: readonly string[]): GatewayProcess {
    const main = join(repositoryRoot, 'build/cli/main.js');
    const child = spawn(process.execPath, [main, 'gateway', ...this.#flags, ...flags], { stdio: ['ignore', 'ignore', 'pipe'] });
    const log: string[] = [];
    child.stderr.setEncoding('utf8').on('data', (text: string) => void log.push(...text.split('\n').filter(Boolean)));
    const exit = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);
    onEnd(this.#t, async () => {
      child.kill('SIGKILL');
      await exit;
    });
    return { child, log, exit };
  }

  /** Resolves when it serves. */
  async gateway(...flags: readonly string[]): Promise<GatewayProcess> {
    const started = this.spawn(...flags);
    await until('a gateway that serves', () => {
      if (started.child.exitCode !== null) throw new Error(started.log.join('\n'));
      return started.log.some((line) => line.includes('"serving"'));
    }).catch((error: Error) => {
      throw new Error(`${error.message}\n${started.log.join('\n')}`);
    });
    return started;
  }

  /** One connection: bytes there and back, and an end from either side. */
  async exchange(bytes: Buffer): Promise<void> {
    const socket = await this.sockets.connect(this.callers);
    const chunks: Buffer[] = [];
    const ended = new Promise<void>((resolve, reject) => {
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.once('end', resolve).once('error', reject);
      socket.once('close', () => reject(new Error('closed before its end')));
    });
    socket.end(bytes);
    await ended;
    if (!Buffer.concat(chunks).equals(bytes)) throw new Error(`${bytes.length} bytes came back as ${Buffer.concat(chunks).length} others`);
  }
}

/** New connections one after the other until `stop`; what went wrong with any of them. */
export function keepCalling(call: () => Promise<void>) {
  const failures: string[] = [];
  let calls = 0;
  let on = true;
  const done = (async () => {
    while (on) {
      await call().catch((error: Error) => failures.push(error.message));
      calls += 1;
    }
  })();
  const stop = async () => {
    on = false;
    await done;
    return failures;
  };
  return { calls: () => calls, stop };
}

/** With a gateway that carries. */
export async function begun(t: TestContext, ...flags: readonly string[]) {
  const site = await ProcessSite.start(t);
  const first = await site.gateway(...flags);
  await until('an answer', async () => {
    await site.exchange(Buffer.from('hello'));
    return true;
  });
  return { site, first };
}
