import { execFile } from 'node:child_process';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from '../../support/deploy-files.ts';
import { install, type Network, type Running } from '../servers/index.ts';
import { makeWorkFolder, removeWorkFolder } from '../servers/work-folder.ts';
import { type ContainerMount, type ContainerSpec, runContainer, startContainer } from './container.ts';

const run = promisify(execFile);

/** The Compose model as its own loader prints it; only what is used here is typed. */
export interface ComposeModel {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly networks: Readonly<Record<string, { readonly ipam: { readonly config: readonly { readonly subnet: string }[] } }>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly configs: Readonly<Record<string, { readonly content: string }>>;
}

export interface ComposeService {
  readonly image: string;
  readonly read_only?: boolean;
  readonly command: readonly string[];
  readonly entrypoint?: readonly string[] | null;
  readonly environment?: Readonly<Record<string, string>>;
  readonly networks?: Readonly<Record<string, { readonly ipv4_address: string }>>;
  readonly network_mode?: string;
  readonly volumes?: readonly { readonly source: string; readonly target: string; readonly read_only?: boolean }[];
  readonly configs?: readonly { readonly source: string; readonly target: string }[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
}

/** Rejects with the loader's own words when the file is not what the Compose Specification allows. */
export async function loadCompose(): Promise<ComposeModel> {
  const loader = (await install('compose')).binary('compose-spec');
  const { stdout } = await run(loader, ['-format', 'json', 'docker-compose.yml'], { cwd: repositoryRoot, maxBuffer: 16 * 1024 * 1024 });
  return JSON.parse(stdout) as ComposeModel;
}

export interface ComposeProject {
  /** Names of the services in the order in which they were started. */
  readonly order: readonly string[];
  /** Runs a command in a service's container, as `docker compose exec` does. */
  exec(service: string, ...command: string[]): Promise<string>;
  /** Runs a service that ends by itself once more. */
  again(service: string): Promise<void>;
  down(): Promise<void>;
}

/** Does what `docker compose up -d` does: dependencies first, each service after what its conditions ask for. Its addresses become the network's. */
export async function composeUp(model: ComposeModel, network: Network, site: string): Promise<ComposeProject> {
  const project = new Project(model, network, site, await makeWorkFolder('compose'));
  try {
    await project.up();
    return project;
  } catch (error) {
    await project.down();
    throw error;
  }
}

class Project implements ComposeProject {
  readonly order: string[] = [];
  readonly #model: ComposeModel;
  readonly #network: Network;
  readonly #site: string;
  readonly #folder: string;
  readonly #running = new Map<string, Running>();

  constructor(model: ComposeModel, network: Network, site: string, folder: string) {
    this.#model = model;
    this.#network = network;
    this.#site = site;
    this.#folder = folder;
  }

  async up(): Promise<void> {
    for (const name of Object.keys(this.#model.volumes)) await this.#makeVolume(name);
    for (const [name, { content }] of Object.entries(this.#model.configs)) {
      await writeFile(join(this.#folder, `config-${name}`), this.#readdressed(content));
    }
    for (const name of Object.keys(this.#model.services)) await this.#start(name);
  }

  async exec(service: string, ...command: string[]): Promise<string> {
    const { code, out, err } = await runContainer({ ...(await this.#specOf(service)), name: `exec-${service}`, command });
    if (code !== 0) throw new Error(`${command.join(' ')} in ${service} ended with ${code}: ${err}${out}`);
    return out;
  }

  async again(service: string): Promise<void> {
    const { code, err } = await runContainer(await this.#specOf(service));
    if (code !== 0) throw new Error(`${service} ended with ${code}: ${err}`);
  }

  async down(): Promise<void> {
    for (const running of [...this.#running.values()].reverse()) await running.stop();
    await removeWorkFolder(this.#folder);
  }

  async #start(name: string): Promise<void> {
    if (this.order.includes(name)) return;
    const service = this.#service(name);
    for (const dependency of Object.keys(service.depends_on ?? {})) await this.#start(dependency);
    this.order.push(name);
    if (isOneShot(this.#model, name)) return this.again(name);
    const spec = await this.#specOf(name);
    this.#running.set(name, await startContainer(spec, () => this.#isHealthy(name)));
  }

  async #isHealthy(name: string): Promise<boolean> {
    const [kind, ...test] = this.#service(name).healthcheck?.test ?? [];
    const command = kind === 'CMD-SHELL' ? ['sh', '-c', ...test] : test;
    const { code } = await runContainer({ ...(await this.#specOf(name)), name: `health-${name}`, command });
    return code === 0;
  }

  async #specOf(name: string): Promise<ContainerSpec> {
    const service = this.#service(name);
    const image = imageOf(service);
    const entrypoint = service.entrypoint ?? [image];
    const command = [...entrypoint, ...service.command].map((part) => this.#readdressed(part));
    const how = { env: service.environment ?? {}, mounts: this.#mountsOf(service), readOnlyRoot: service.read_only === true };
    return { name, image, command, ...how, netns: this.#netnsOf(name) };
  }

  #mountsOf(service: ComposeService): ContainerMount[] {
    const volumes = (service.volumes ?? []).map((v) => ({
      from: join(this.#folder, `volume-${v.source}`),
      to: v.target,
      readOnly: v.read_only === true,
    }));
    const configs = (service.configs ?? []).map((c) => ({ from: join(this.#folder, `config-${c.source}`), to: c.target, readOnly: true }));
    return [...volumes, ...configs];
  }

  #netnsOf(name: string): string {
    const { network_mode: mode } = this.#service(name);
    if (mode === 'none') return 'none';
    const shared = mode?.startsWith('service:') === true ? mode.slice('service:'.length) : name;
    return this.#network.host(this.#site, shared).netns;
  }

  /** The file's subnet is one that Docker makes; the test's network has its own, with hosts in the order of their addresses. */
  #readdressed(text: string): string {
    const subnet = this.#model.networks['mesh']?.ipam.config[0]?.subnet ?? '';
    const own = this.#network.host(this.#site, hostsOf(this.#model)[0] ?? '').address;
    return text.replaceAll(prefixOf(subnet), prefixOf(own));
  }

  /** A new volume is as the image has the folder: owned by its user. */
  async #makeVolume(name: string): Promise<void> {
    const path = join(this.#folder, `volume-${name}`);
    await mkdir(path, { mode: 0o700 });
    const users = Object.values(this.#model.services).filter((s) => s.volumes?.some((v) => v.source === name));
    if (users.some((s) => imageOf(s) === 'isthmus')) await chown(path, 1000, 1000);
  }

  #service(name: string): ComposeService {
    const service = this.#model.services[name];
    if (service === undefined) throw new Error(`there is no service ${name}`);
    return service;
  }
}

/** Services with an address of their own, by address. */
export function hostsOf(model: ComposeModel): string[] {
  const addressed = Object.entries(model.services).flatMap(([name, s]) => {
    const address = s.networks?.['mesh']?.ipv4_address;
    return address === undefined ? [] : [{ name, last: Number(address.split('.')[3]) }];
  });
  return addressed.sort((a, b) => a.last - b.last).map(({ name }) => name);
}

/** Somebody waits for its end. */
export function isOneShot(model: ComposeModel, name: string): boolean {
  return Object.values(model.services).some((s) => s.depends_on?.[name]?.condition === 'service_completed_successfully');
}

function imageOf(service: ComposeService): 'isthmus' | 'consul' | 'nomad' {
  const name = service.image.split(':')[0]?.split('/').at(-1);
  if (name === 'isthmus' || name === 'consul' || name === 'nomad') return name;
  throw new Error(`the test knows no image ${service.image}`);
}

function prefixOf(address: string): string {
  return `${address.split('.').slice(0, 3).join('.')}.`;
}
