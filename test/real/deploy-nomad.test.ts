import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import type { Status } from '../../core/admin/index.ts';
import { readRepositoryFile, repositoryRoot } from '../support/deploy-files.ts';
import { onEnd } from '../support/on-end.ts';
import { until } from '../support/until.ts';
import { type ContainerSpec, runContainer, startContainer } from './containers/container.ts';
import { createNetwork, type Host, inNamespace, install, type RunningNomad, startConsul, startNomad } from './servers/index.ts';
import { makeWorkFolder, removeWorkFolder } from './servers/work-folder.ts';

const run = promisify(execFile);

interface Job {
  readonly ID: string;
  readonly TaskGroups: readonly {
    readonly Networks: readonly { readonly ReservedPorts: readonly { readonly Label: string; readonly Value: number }[] }[];
    readonly Services: readonly { readonly PortLabel: string; readonly Checks: readonly { readonly Path: string }[] }[];
    readonly Tasks: readonly Task[];
  }[];
}

interface Task {
  readonly Name: string;
  readonly Driver: string;
  readonly Config: { readonly args: readonly string[]; readonly entrypoint?: readonly string[] };
  readonly Env: Readonly<Record<string, string>> | null;
  readonly Templates: readonly { readonly EmbeddedTmpl: string; readonly DestPath: string }[];
  readonly VolumeMounts: readonly { readonly Destination: string }[];
}

interface Plan {
  readonly FailedTGAllocs: Readonly<Record<string, { readonly ConstraintFiltered: Readonly<Record<string, number>> | null }>> | null;
  readonly Warnings: string;
}

async function parseJob(nomad: RunningNomad, name: string, variables = ''): Promise<Job> {
  const text = await readRepositoryFile(`deploy/nomad/${name}.nomad.hcl`);
  return JSON.parse((await nomad.api('POST', '/v1/jobs/parse', { JobHCL: text, Canonicalize: true, Variables: variables })).body) as Job;
}

async function createVolume(nomad: RunningNomad, file: string, netns?: string): Promise<string> {
  const binary = (await install('nomad')).binary('nomad');
  const [command, args] = inNamespace(netns, binary, ['volume', 'create', join(repositoryRoot, 'deploy/nomad', file)]);
  return (await run(command, args, { env: { ...process.env, NOMAD_ADDR: nomad.url } })).stdout;
}

test('nomad plans both jobs: all that is missing here is the docker driver', { timeout: 120_000 }, async (t) => {
  const nomad = await startNomad();
  onEnd(t, () => nomad.stop());
  for (const [name, volume] of [
    ['control', 'state.volume.hcl'],
    ['gateway', 'gateway.state.volume.hcl'],
  ] as const) {
    const job = await parseJob(nomad, name, name === 'gateway' ? 'count = 1' : '');
    const plan = async (planned: Job) => JSON.parse((await nomad.api('POST', `/v1/job/${job.ID}/plan`, { Job: planned })).body) as Plan;
    const refusals = ({ FailedTGAllocs }: Plan) => Object.values(FailedTGAllocs ?? {}).map((group) => group.ConstraintFiltered);
    // A node without the driver is looked at no further: all else is judged with one that is there.
    const placeable = withDriver(job, 'raw_exec');
    assert.deepEqual(refusals(await plan(placeable)), [{ 'missing compatible host volumes': 1 }]);
    await createVolume(nomad, volume);
    assert.deepEqual(refusals(await plan(placeable)), []);
    const after = await plan(job);
    assert.deepEqual(refusals(after), [{ 'missing drivers': 1 }]);
    assert.equal(after.Warnings, '');
  }
});

function withDriver(job: Job, driver: string): Job {
  const Config = { command: '/bin/true', args: [] };
  const groups = job.TaskGroups.map((group) => ({ ...group, Tasks: group.Tasks.map((task) => ({ ...task, Driver: driver, Config })) }));
  return { ...job, TaskGroups: groups };
}

interface Allocation {
  readonly job: Job;
  readonly host: Host;
  /** A folder of the machine for each of the allocation's. */
  readonly folder: string;
}

/** What Nomad's client would put there: templates as files of the image's user, the volume as its plugin makes it. */
async function allocate(t: TestContext, host: Host, job: Job, secrets: Readonly<Record<string, string>>): Promise<Allocation> {
  const folder = await makeWorkFolder(job.ID);
  onEnd(t, () => removeWorkFolder(folder));
  for (const name of ['local', 'secrets', 'volume']) await mkdir(join(folder, name));
  await chown(join(folder, 'volume'), 1000, 1000);
  for (const template of (job.TaskGroups[0]?.Tasks ?? []).flatMap((task) => task.Templates)) {
    const key = /\{\{ \.(\w+) \}\}/.exec(template.EmbeddedTmpl)?.[1];
    const path = join(folder, template.DestPath);
    await writeFile(path, key === undefined ? template.EmbeddedTmpl : (secrets[key] ?? ''), { mode: 0o400 });
    await chown(path, 1000, 1000);
  }
  return { job, host, folder };
}

function taskContainer({ job, host, folder }: Allocation, name: string): ContainerSpec {
  const task = job.TaskGroups[0]?.Tasks.find((candidate) => candidate.Name === name);
  assert.ok(task !== undefined);
  const attributes: Readonly<Record<string, string>> = { 'node.unique.name': host.name, 'attr.unique.network.ip-address': host.address };
  const args = task.Config.args.map((text) => text.replace(/\$\{([a-z.-]+)\}/g, (whole, key: string) => attributes[key] ?? whole));
  const mounts = [
    { from: join(folder, 'local'), to: '/local', readOnly: false },
    { from: join(folder, 'secrets'), to: '/secrets', readOnly: false },
    ...task.VolumeMounts.map((mount) => ({ from: join(folder, 'volume'), to: mount.Destination, readOnly: false })),
  ];
  const command = [...(task.Config.entrypoint ?? ['isthmus']), ...args];
  return { name, image: 'isthmus', command, env: task.Env ?? {}, mounts, readOnlyRoot: false, netns: host.netns };
}

/** Where the job's own check asks. */
function checkUrl({ job, host }: Allocation): string {
  const group = job.TaskGroups[0];
  const [service] = group?.Services ?? [];
  const port = group?.Networks[0]?.ReservedPorts.find((p) => p.Label === service?.PortLabel)?.Value;
  return `http://${host.address}:${port}${service?.Checks[0]?.Path}`;
}

test('the tasks of both jobs run as these say, on one node, over a real Nomad and Consul', { timeout: 300_000 }, async (t) => {
  const network = await createNetwork({ sites: { east: ['node'] } });
  onEnd(t, () => network.remove());
  const host = network.host('east', 'node');
  const nomad = await startNomad({ netns: host.netns, ports: { http: 4646 } });
  onEnd(t, () => nomad.stop());
  const consul = await startConsul({ netns: host.netns, ports: { http: 8500 }, acl: true });
  onEnd(t, () => consul.stop());

  const variables = `advertise = "${host.address}:15012"\ncallers = ["${host.address}/32"]`;
  const job = await parseJob(nomad, 'control', variables);
  const allocation = await allocate(t, host, job, { nomad_token: 'unused: no ACLs there', consul_token: consul.token ?? '' });
  const first = await runContainer(taskContainer(allocation, 'first-start'));
  assert.deepEqual([first.code, first.out], [0, ''], first.err);
  const ready = async (url: string) => (await host.reach.request({ url })).status === 200;
  const control = await startContainer(taskContainer(allocation, 'control'), () => ready(checkUrl(allocation)));
  onEnd(t, () => control.stop());
  const exec = async (...command: string[]): Promise<string> => {
    const { code, out, err } = await runContainer({ ...taskContainer(allocation, 'control'), name: 'exec', command });
    assert.equal(code, 0, err);
    return out;
  };
  await consul.api('PUT', '/v1/agent/service/register', { Name: 'catalog', ID: 'c1', Address: host.address, Port: 8080 });
  await until('both registries are live and the service is seen', async () => {
    const { sources, services } = JSON.parse(await exec('isthmus', 'status', '--output', 'json')) as Status;
    return sources.filter((s) => s.state === 'live').length >= 2 && services.some((s) => s.namespace === 'shop' && s.name === 'catalog');
  });

  const token = await exec('isthmus', 'gateway', 'token', '--max-uses', '2');
  const gatewayAllocation = await allocate(t, host, await parseJob(nomad, 'gateway'), { token });
  const gateway = await startContainer(taskContainer(gatewayAllocation, 'gateway'), () => ready(checkUrl(gatewayAllocation)));
  onEnd(t, () => gateway.stop());
  assert.ok(await ready(`http://${host.address}:15020/metrics`), 'no metrics on the port that the job names');
});
