import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Io } from '../io.ts';
import type { Child } from './child.ts';
import { type EchoApp, type EchoReply, startEchoApp } from './echo-app.ts';
import { httpGet } from './http-get.ts';
import { showOwnServices } from './own-services.ts';
import { Script } from './script.ts';
import { freePort, holdRange, Site } from './site.ts';
import { type OwnRegistry, rightsNeeded, serviceEntry } from './site-config.ts';
import { until } from './until.ts';

export interface DemoOptions {
  /** End after the last step instead of staying up. */
  readonly once: boolean;
  readonly registries: readonly OwnRegistry[];
}

interface Demo {
  readonly script: Script;
  readonly folder: string;
  readonly east: Site;
  readonly west: Site;
  readonly apps: EchoApp[];
  readonly children: Child[];
}

/** The demonstration: true when everything that it claims was seen to hold. Leaves nothing behind. */
export async function runDemo(options: DemoOptions, io: Io): Promise<boolean> {
  const script = new Script(io);
  const folder = await mkdtemp(join(tmpdir(), 'isthmus-demo-'));
  // Each imported (service, port) takes one.
  const size = options.registries.length > 0 ? 1_000 : 100;
  const ranges = [await holdRange(size), await holdRange(size)] as const;
  const registries = await Promise.all(options.registries.map((registry) => withTokenFile(registry, folder)));
  const east = new Site('east', join(folder, 'east'), { root: true, portRange: ranges[0].ports, registries });
  const west = new Site('west', join(folder, 'west'), { root: false, portRange: ranges[1].ports, registries: [] });
  const demo: Demo = { script, folder, east, west, apps: [], children: [] };
  script.say(`Isthmus: two clusters on loopback, east and west; state and logs in ${folder}`);
  try {
    const tour = await walk(demo, options);
    script.say(`\nAll ${script.failed === 0 ? 'held' : 'did not hold'}, in ${script.seconds.toFixed(1)} s.`);
    if (!options.once) await stayUp(demo, tour, io);
    return script.failed === 0;
  } catch (error) {
    if (script.failed === 0) script.say(`FAILED: ${error instanceof Error ? error.message : String(error)}`);
    for (const child of demo.children) script.say(`  log of ${child.name}: ${child.logFile}`);
    return false;
  } finally {
    for (const child of demo.children.reverse()) await child.stop();
    for (const range of ranges) await range.release();
    await Promise.all(demo.apps.map((app) => app.close()));
    for (const registry of registries) if ('tokenFile' in registry) await rm(registry.tokenFile ?? '', { force: true });
    if (script.failed === 0) await rm(folder, { recursive: true, force: true });
  }
}

/** A registry's token comes by the variable that its own tools read, and is kept for this run in a file of its owner's. */
async function withTokenFile(registry: OwnRegistry, folder: string): Promise<OwnRegistry> {
  if (registry.type === 'kubernetes') return registry;
  const token = process.env[registry.type === 'consul' ? 'CONSUL_HTTP_TOKEN' : 'NOMAD_TOKEN'];
  if (token === undefined || token === '') return registry;
  const tokenFile = join(folder, `${registry.type}.token`);
  await writeFile(tokenFile, token, { mode: 0o600 });
  return { ...registry, tokenFile };
}

interface Tour {
  /** On the VM: payments of the other cluster. */
  readonly fromVm: number;
  /** In west, without a sidecar: orders on the VM. */
  readonly fromPlain: number;
}

async function walk(demo: Demo, options: DemoOptions): Promise<Tour> {
  const { script, east, west, children, apps } = demo;
  const track = (child: Child) => {
    children.push(child);
    return child;
  };
  for (const registry of options.registries) for (const line of rightsNeeded(registry)) script.say(line);
  await script.step('applications: payments twice in west, orders on a VM in east', async () => {
    apps.push(await startEchoApp('payments-1'), await startEchoApp('payments-2'), await startEchoApp('orders-on-vm'));
    for (const site of [east, west]) await mkdir(join(site.folder, 'services'), { recursive: true, mode: 0o700 });
    const ports = [apps[0]?.port ?? 0, apps[1]?.port ?? 0];
    await writeFile(join(west.folder, 'services', 'payments.yaml'), serviceEntry('shop', 'payments', 8080, ports));
  });
  await script.step('east has the root of the trust domain demo.test, and its control plane starts', async () => track(await east.start()));
  await script.step('west starts without a root: it can issue nothing until it has joined', async () => track(await west.start()));
  await script.step('peer: east invites, west joins with the token', async () => {
    const token = await east.run('peer', 'invite');
    await west.run('peer', 'join', token);
    await until('both see each other connected', async () => (await connected(east)) && (await connected(west)));
  });
  await script.step('an east-west gateway in each cluster', async () => {
    for (const site of [east, west]) track(await site.startGateway());
  });
  const fromVm = await freePort();
  await script.step('a VM joins east with a single-use token and serves shop/orders', async () =>
    track(
      await east.joinVm({
        service: 'shop/orders',
        port: 8080,
        appPort: apps[2]?.port ?? 0,
        outbound: [`payments.shop.mesh.internal:8080=${fromVm}`],
      }),
    ),
  );
  await script.step(
    'VM → payments in west: mTLS from the agent to the gateway of west',
    () => ask(fromVm, 'payments', `spiffe://demo.test/ns/shop/sa/orders`),
    shown,
  );
  const fromPlain = await until('west gives shop/orders a gateway port', () => west.gatewayPort('shop/orders', 8080));
  await script.step(
    'a program without a sidecar in west → orders on the VM: its gateway calls for it',
    () => ask(fromPlain, 'orders-on-vm', 'spiffe://demo.test/ns/isthmus-system/sa/gateway'),
    shown,
  );
  await script.step(
    'one endpoint of payments is killed; 40 requests follow and none fails',
    async () => failover(demo, fromVm),
    (r) => [r],
  );
  await script.step(
    'isthmus explain shop/orders shop/payments',
    () => east.run('explain', 'shop/orders', 'shop/payments'),
    (text) => text.split('\n').slice(0, 12),
  );
  if (options.registries.length > 0) await showOwnServices(script, east, west, options.registries);
  return { fromVm, fromPlain };
}

async function connected(site: Site): Promise<boolean> {
  const { peers } = await site.status();
  return peers.length > 0 && peers.every((p) => p.state === 'connected');
}

/** One request through the mesh that must be answered by `app`, which must have seen `principal`. */
async function ask(port: number, app: string, principal: string): Promise<EchoReply> {
  return until(`${app} answers, and sees ${principal}`, async () => {
    const { status, body } = await httpGet(port, '/hello');
    if (status !== 200) throw new Error(`answered ${status}: ${body.slice(0, 200)}`);
    const reply = JSON.parse(body) as EchoReply;
    if (!reply.app.startsWith(app)) throw new Error(`${reply.app} answered`);
    if (reply.principal !== principal) throw new Error(`the mTLS end saw ${reply.principal || 'nobody'}`);
    return reply;
  });
}

function shown(reply: EchoReply): readonly string[] {
  return [`${reply.app} answered; the caller it saw: ${reply.principal}`];
}

async function failover({ apps, script }: Demo, port: number): Promise<string> {
  await apps[0]?.close();
  const answered = new Map<string, number>();
  for (let i = 0; i < 40; i++) {
    const { status, body } = await httpGet(port, `/failover/${i}`);
    script.check(status === 200, `request ${i} was answered ${status}: ${body.slice(0, 200)}`);
    const { app } = JSON.parse(body) as EchoReply;
    answered.set(app, (answered.get(app) ?? 0) + 1);
  }
  script.check(answered.get('payments-2') === 40, 'the endpoint that was killed answered');
  return `payments-2 answered ${answered.get('payments-2')} of 40`;
}

async function stayUp(demo: Demo, tour: Tour, io: Io): Promise<void> {
  const { script, east, west } = demo;
  script.say('\nIt stays up. To try:');
  script.say(`  curl http://127.0.0.1:${tour.fromVm}/      payments in west, as the VM in east sees it`);
  script.say(`  curl http://127.0.0.1:${tour.fromPlain}/      orders on the VM, for programs of west without a sidecar`);
  for (const site of [east, west]) script.say(`  ISTHMUS_CONTEXT_FILE=${site.contextFile} npx isthmus status`);
  script.say('Ctrl-C ends it.');
  if (io.signal.aborted) return;
  await new Promise<void>((resolve) => io.signal.addEventListener('abort', () => resolve(), { once: true }));
}
