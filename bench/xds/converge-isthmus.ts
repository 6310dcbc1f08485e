import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Contender, startEnvoyOf } from './converge-envoy.ts';
import { freePorts, isthmus, output, type Stop, startProcess } from './converge-process.ts';

// As people run it: each part a process of its own, by the command line alone.
export interface IsthmusBrief {
  readonly envoy: string;
  readonly dir: string;
  readonly consulUrl: string;
  /** Name in Consul, and NAME and port in namespace shop of the mesh. */
  readonly service: string;
  readonly port: number;
}

/** A control plane that follows Consul, a VM's agent and the Envoy beside it. Resolves once Envoy is live. */
export async function startIsthmus(brief: IsthmusBrief): Promise<Contender> {
  const stops: Stop[] = [];
  const stop = async () => {
    for (const each of stops.splice(0).reverse()) await each();
  };
  try {
    const env = { ISTHMUS_CONTEXT_FILE: join(brief.dir, 'context.yaml') };
    stops.push(await startControl(brief, env));
    const { stateDir, stop: stopAgent } = await startAgent(brief, env);
    stops.push(stopAgent);
    const ports = await freePorts('admin', 'upstream');
    const upstream = `shop/${brief.service}:${brief.port}=127.0.0.1:${ports.upstream}`;
    const bootstrap = await output(
      ...isthmus('envoy', 'bootstrap', '--state-dir', stateDir, '--admin', `127.0.0.1:${ports.admin}`, '--upstream', upstream),
    );
    const envoy = await startEnvoyOf({ name: 'envoy-of-isthmus', envoy: brief.envoy, dir: brief.dir, bootstrap, adminPort: ports.admin });
    stops.push(envoy.stop);
    return { seen: envoy.seen, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startControl(brief: IsthmusBrief, env: Readonly<Record<string, string>>): Promise<Stop> {
  const { dir, consulUrl, service } = brief;
  const { grpc, api, health } = await freePorts('grpc', 'api', 'health');
  const mesh = [
    `cluster: east, trustDomain: bench.test, stateDir: ${dir}/control, identity: {rootDir: ${dir}/root}`,
    `grpc: {listen: '127.0.0.1:${grpc}', advertise: ['127.0.0.1:${grpc}']}`,
    `api: {listen: '127.0.0.1:${api}'}, health: {listen: '127.0.0.1:${health}'}`,
  ];
  const mapping = `namespace: shop, include: [${service}], claims: ['shop/${service}'], network: east, tlsMode: none`;
  const conf = join(dir, 'conf');
  await mkdir(conf);
  await writeFile(join(conf, 'mesh.yaml'), objectOf('Mesh', 'east', mesh.join(', ')));
  const registry = `type: consul, publish: false, connection: {url: '${consulUrl}'}, mapping: {${mapping}}`;
  await writeFile(join(conf, 'consul.yaml'), objectOf('Registry', 'consul', registry));
  await output(...isthmus('ca', 'init', '--dir', join(dir, 'root'), '--trust-domain', 'bench.test'), env);
  await output(...isthmus('control', 'init', '-c', conf), env);
  const [command, args] = isthmus('control', '-c', conf, '--drain', '1s');
  return startProcess({ name: 'control', command, args, dir, env, ready: () => answersOk(health, '/readyz') });
}

async function startAgent(
  { dir }: IsthmusBrief,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly stateDir: string; readonly stop: Stop }> {
  const stateDir = join(dir, 'agent');
  const { inbound, dns, admin } = await freePorts('inbound', 'dns', 'admin');
  const token = (await output(...isthmus('vm', 'token', 'shop/web', '--port', '80'), env)).trim();
  const [command, args] = isthmus(
    ...['vm', 'join', token, '--address', '127.0.0.1', '--instance', 'caller', '--network', 'east', '--state-dir', stateDir],
    ...['--inbound', `127.0.0.1:${inbound}`, '--dns', `127.0.0.1:${dns}`, '--admin', `127.0.0.1:${admin}`],
    ...['--no-loopback', '--proxy', 'none', '--drain', '1s'],
  );
  return {
    stateDir,
    stop: await startProcess({ name: 'agent', command, args, dir, env, ready: () => answersOk(admin, '/healthz/ready') }),
  };
}

function objectOf(kind: string, name: string, spec: string): string {
  return `apiVersion: isthmus.dev/v1alpha1\nkind: ${kind}\nmetadata: {name: ${name}}\nspec: {${spec}}\n`;
}

async function answersOk(port: number, path: string): Promise<boolean> {
  return (await fetch(`http://127.0.0.1:${port}${path}`)).ok;
}
