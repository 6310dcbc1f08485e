import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { until } from '../../support/until.ts';
import { type ControlHost, type GatewayHost, joinVm, startControl, startGateway } from '../scenario/isthmus-process.ts';
import {
  createNetwork,
  type Host,
  type Network,
  type Running,
  type RunningConsul,
  type RunningKubernetes,
  startConsul,
  startEtcd,
  startKubernetes,
} from '../servers/index.ts';
import { type Caller, findPlainCaller, startSidecarCaller } from './callers.ts';
import { podSide, vmSide } from './objects.ts';
import { type AppVersion, appPort, type Backend, describePods, goodVersion, registerVm, startBackend, tcpPort } from './runtimes.ts';

/**
 * One mesh on one flat network of three sites: `dc` with the control plane, Consul, two VMs, a gateway and all callers, `k8s` with the machines of the pods,
 * and `api` with the Kubernetes that runs them. `shop/orders` (HTTP) and `shop/ledger` (TCP) run at both.
 */
export interface Bed {
  readonly network: Network;
  /** The first of `controls`. */
  readonly control: ControlHost;
  /** Replicas of one control plane; commands reach each. */
  readonly controls: readonly ControlHost[];
  readonly consul: RunningConsul;
  readonly kubernetes: RunningKubernetes;
  readonly gateway: GatewayHost;
  readonly vms: readonly Backend[];
  readonly pods: readonly Backend[];
  /** On the machines of `vms`: they see who is connected there. */
  readonly agents: readonly Running[];
  readonly callers: readonly Caller[];
  host(site: Site, name: string): Host;
}

type Site = 'dc' | 'k8s' | 'api';
type Ending = (end: () => Promise<unknown>) => void;

export interface BedOptions {
  readonly callers?: readonly Caller['kind'][];
  /** Of the pods. */
  readonly version?: AppVersion;
  /** Absent: the pods run, and Kubernetes knows of them. False: nobody has told it yet. */
  readonly deployed?: false;
  /** 2: they share an etcd. Default 1, with a store of its own. */
  readonly replicas?: 1 | 2;
}

const securePort = 6443;

export async function startBed(ending: Ending, options: BedOptions = {}): Promise<Bed> {
  const kinds = options.callers ?? ['isthmus', 'envoy', 'plain'];
  const network = await createNetwork({
    sites: {
      dc: ['control', 'control2', 'etcd', 'consul', 'gw', 'vm1', 'vm2', 'prometheus', 'outside', ...kinds],
      k8s: ['pod1', 'pod2'],
      api: ['kube'],
    },
    ports: [securePort, appPort, tcpPort, 15006, 15012, 15443],
  });
  ending(() => network.remove());
  const keep = <T>(thing: T, end: (thing: T) => Promise<unknown>): T => {
    ending(() => end(thing));
    return thing;
  };
  const stop = (thing: { stop(): Promise<void> }) => thing.stop();
  const host = (site: Site, name: string) => network.host(site, name);

  const [consul, apps, kubernetes] = await Promise.all([
    startConsulOn(host('dc', 'consul'), 'dc1').then((c) => keep(c, stop)),
    startConsulOn(host('dc', 'consul'), 'apps').then((c) => keep(c, stop)),
    startKubernetesOn(host('api', 'kube')).then((k) => keep(k, stop)),
  ]);
  const start = async (machine: Host, version: AppVersion) => keep(await startBackend(machine, version), stop);
  const vms = await Promise.all(['vm1', 'vm2'].map((name) => start(host('dc', name), goodVersion)));
  const pods = await Promise.all(['pod1', 'pod2'].map((name) => start(host('k8s', name), options.version ?? goodVersion)));
  for (const vm of vms) await registerVm(consul, vm);
  if (options.deployed !== false) await describePods(kubernetes, pods);

  const controls = await startControls(ending, host, { consul, apps, kubernetes }, options.replicas ?? 1);
  const [control] = controls;
  const gateway = await startGateway(host('dc', 'gw'), control);
  ending(() => gateway.process.stop());
  const agents: Running[] = [];
  for (const { host: machine } of vms)
    agents.push(keep(await joinVm(machine, control, { service: `shop/machine-${machine.name}`, port: 80 }), stop));

  const callers: Caller[] = [];
  for (const kind of kinds) {
    if (kind === 'plain') {
      callers.push(await findPlainCaller(host('dc', kind), apps));
      continue;
    }
    const { caller, agent } = await startSidecarCaller(host('dc', kind), control, kind);
    keep(agent, stop);
    callers.push(caller);
  }
  const bed = { network, control, controls, consul, kubernetes, gateway, vms, pods, agents, callers, host };
  await settled(bed, options.deployed === false ? [vmSide] : [vmSide, podSide]);
  return bed;
}

/** Each side is known with both of its places. */
export async function settled({ control }: Pick<Bed, 'control'>, sides: readonly string[]): Promise<void> {
  await until('two places of each service at each side', async () => {
    const { services } = await control.status();
    const moving = services.filter(({ name }) => name === 'orders' || name === 'ledger');
    const whole = moving.filter(({ endpoints }) =>
      sides.every((id) => endpoints.some(({ source, healthy }) => source === id && healthy === 2)),
    );
    return whole.length === 2;
  });
}

function startConsulOn(host: Host, datacenter: string): Promise<RunningConsul> {
  return startConsul({ netns: host.netns, address: host.address, clientAddress: '0.0.0.0', datacenter });
}

function startKubernetesOn(host: Host): Promise<RunningKubernetes> {
  return startKubernetes({ netns: host.netns, address: host.address, ports: { secure: securePort } });
}

const trustDomain = 'move.test';

interface Registries {
  readonly consul: RunningConsul;
  readonly apps: RunningConsul;
  readonly kubernetes: RunningKubernetes;
}

type Find = (site: Site, name: string) => Host;

/** The second, where there is one, has its state elsewhere and its store in common; its first admin is both's. */
async function startControls(
  ending: Ending,
  host: Find,
  registries: Registries,
  replicas: 1 | 2,
): Promise<[ControlHost, ...ControlHost[]]> {
  const hosts = [host('dc', 'control'), ...(replicas === 2 ? [host('dc', 'control2')] : [])];
  const mesh = { advertise: hosts.map(({ address }) => `${address}:15012`), store: '{kind: embedded}' };
  if (replicas === 2) {
    const { netns, address } = host('dc', 'etcd');
    const etcd = await startEtcd({ netns, address });
    ending(() => etcd.stop());
    mesh.store = `{kind: etcd, endpoints: ["${etcd.url}"]}`;
  }
  const first = await startControl(host('dc', 'control'), configOf(mesh, '{root}', registries), trustDomain);
  ending(() => first.process.stop());
  if (replicas === 1) return [first];
  const root = join(first.process.folder, 'root');
  const second = await startControl(host('dc', 'control2'), configOf(mesh, root, registries), undefined, ['--replace']);
  ending(() => second.process.stop());
  await copyFile(join(second.process.folder, 'context.yaml'), join(first.process.folder, 'context.yaml'));
  return [first, second];
}

interface MeshWritten {
  readonly advertise: readonly string[];
  readonly store: string;
}

function configOf({ advertise, store }: MeshWritten, root: string, { consul, apps, kubernetes }: Registries): string {
  return `apiVersion: isthmus.dev/v1alpha1
kind: Mesh
metadata: {name: home}
spec:
  cluster: home
  trustDomain: ${trustDomain}
  stateDir: "{state}"
  store: ${store}
  grpc: {listen: "0.0.0.0:15012", advertise: ${JSON.stringify(advertise)}}
  api: {listen: "127.0.0.1:15014"}
  catalog: {agentTtl: 5s}
  originate: {sources: [{name: site, cidrs: [198.18.0.0/16]}]}
  identity: {rootDir: "${root}"}
---
apiVersion: isthmus.dev/v1alpha1
kind: Registry
metadata: {name: dc1}
spec:
  type: consul
  publish: true
  takeover: true
  connection: {url: "${consul.url}"}
  mapping: {namespace: shop, claims: ["shop/*"], exclude: [consul], protocol: http}
---
apiVersion: isthmus.dev/v1alpha1
kind: Registry
metadata: {name: apps}
spec:
  type: consul
  publish: true
  connection: {url: "${apps.url}"}
  mapping: {namespace: shop, exclude: ["*"]}
---
apiVersion: isthmus.dev/v1alpha1
kind: Registry
metadata: {name: prod}
spec:
  type: kubernetes
  connection: {kubeconfig: "${kubernetes.kubeconfig}", namespaces: [shop]}
  mapping: {claims: ["shop/*"], protocol: http}
`;
}

/** A part of a test: where it fails, what the control planes had to say is told. Parts after it are not run. */
export async function part(t: TestContext, bed: Bed, what: string, run: (t: TestContext) => Promise<void>): Promise<void> {
  let failure: unknown;
  await t.test(what, async (inner) => {
    try {
      await run(inner);
    } catch (error) {
      failure = error;
      for (const { process: running } of bed.controls) {
        const lines = (await readFile(running.logFile, 'utf8')).split('\n').filter((line) => !line.includes('"level":"info"'));
        process.stderr.write(`--- ${running.name}\n${lines.slice(-15).join('\n')}\n`);
      }
      throw error;
    }
  });
  if (failure !== undefined) throw new Error(`${what}: the parts after it need it`, { cause: failure });
}
