import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { holdPort } from '../../support/claim-port.ts';
import type { HttpReply } from './http-request.ts';
import { install } from './install.ts';
import { type NomadPort, nomadClientConfig, nomadServerConfig } from './nomad-config.ts';
import { type RawExecService, rawExecJob } from './nomad-job.ts';
import type { Reach } from './reach.ts';
import { onFreePorts, type Running, startServer } from './server-process.ts';
import { removeTaskCgroups } from './task-cgroups.ts';

export interface NomadOptions {
  /** Network namespace to run in, and its tasks with it; that of this process unless said. */
  readonly netns?: string;
  /** Address that the agents bind and advertise; 127.0.0.1 unless said. */
  readonly address?: string;
  /** Interface whose address its tasks' services get; `lo` unless said. */
  readonly networkInterface?: string;
  /** `http` is the server's, which tests and clients ask. */
  readonly ports?: Partial<Record<NomadPort, number>>;
  readonly datacenter?: string;
  readonly region?: string;
  /** True: ACLs on, bootstrapped, `token` is the management token. */
  readonly acl?: boolean;
}

export interface NomadAllocation {
  readonly ID: string;
  readonly JobID: string;
  readonly ClientStatus: string;
  readonly DesiredStatus: string;
}

/**
 * A Nomad server and a Nomad client, each a process of its own as in production: with both in one agent, a restart kills
 * the tasks, since the client takes them up before the server knows its state again.
 */
export interface RunningNomad {
  /** The server's HTTP API. */
  readonly url: string;
  readonly datacenter: string;
  readonly region: string;
  readonly token: string | undefined;
  readonly reach: Reach;
  readonly server: Running;
  /** Its tasks outlive `kill9`; `restart` takes them up again. */
  readonly client: Running;
  /** A call to the HTTP API with the token, from where it runs. `body` is sent as JSON. Rejects on a status that is not 2xx. */
  api(method: string, path: string, body?: unknown): Promise<HttpReply>;
  /** Registers a job (and its namespace) that runs the service with raw_exec; does not wait for it to run. */
  run(service: RawExecService): Promise<void>;
  allocations(job: string, namespace?: string): Promise<readonly NomadAllocation[]>;
  /** Ends both and every task, and removes what they wrote. Idempotent. */
  stop(): Promise<void>;
}

/** Starts a server, then a client, ready when the client can take raw_exec tasks. Their state is on disk. */
export async function startNomad(options: NomadOptions = {}): Promise<RunningNomad> {
  const place = {
    address: options.address ?? '127.0.0.1',
    networkInterface: options.networkInterface ?? 'lo',
    datacenter: options.datacenter ?? 'dc1',
    region: options.region ?? 'global',
    acl: options.acl === true,
  };
  const started: Running[] = [];
  const stop = async (): Promise<void> => {
    for (const agent of started.splice(0).reverse()) await agent.stop();
  };
  const headers: Record<string, string> = {};
  try {
    const { server, url, rpc } = await startServerAgent(place, options, headers);
    started.push(server);
    const api = nomadApi(server.reach, url, headers);
    if (place.acl) headers['X-Nomad-Token'] = (JSON.parse((await api('POST', '/v1/acl/bootstrap')).body) as { SecretID: string }).SecretID;
    const client = await startClientAgent({ ...place, rpc }, options, api);
    started.push(client);
    const { datacenter, region } = place;
    const token = headers['X-Nomad-Token'];
    return { url, datacenter, region, token, reach: server.reach, server, client, stop, api, ...nomadJobs(api, datacenter) };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Place {
  readonly address: string;
  readonly networkInterface: string;
  readonly datacenter: string;
  readonly region: string;
  readonly acl: boolean;
}

async function startServerAgent(
  place: Place,
  { netns, ports: fixed }: NomadOptions,
  headers: Readonly<Record<string, string>>,
): Promise<{ server: Running; url: string; rpc: string }> {
  const command = (await install('nomad')).binary('nomad');
  return onFreePorts({ name: 'nomad-server', netns, fixed }, ['http', 'rpc', 'serf'], async (ports, folder) => {
    const url = `http://${place.address}:${ports.http}`;
    const file = join(folder, 'nomad.json');
    await writeFile(file, JSON.stringify(nomadServerConfig({ ...place, ports, folder })), { mode: 0o600 });
    const ready = async (reach: Reach): Promise<boolean> => {
      const leader = await reach.request({ url: `${url}/v1/status/leader` });
      if (leader.status !== 200 || leader.body === '""') return false;
      const self = await reach.request({ url: `${url}/v1/agent/self`, headers });
      // Without a token yet: a first start, with no log to replay.
      if (self.status === 403) return headers['X-Nomad-Token'] === undefined;
      const { raft } = (JSON.parse(self.body) as { stats: { raft: Record<string, string> } }).stats;
      return Number(raft['applied_index']) >= Number(raft['last_log_index']);
    };
    const server = await startServer({ name: 'nomad-server', command, args: ['agent', `-config=${file}`], netns, folder, ready });
    return { server, url, rpc: `${place.address}:${ports.rpc}` };
  });
}

async function startClientAgent(place: Place & { rpc: string }, { netns }: NomadOptions, api: RunningNomad['api']): Promise<Running> {
  const command = (await install('nomad')).binary('nomad');
  const dynamic = await holdDynamicPorts();
  return onFreePorts({ name: 'nomad-client', netns }, ['http'], async (ports, folder) => {
    const url = `http://${place.address}:${ports.http}`;
    const file = join(folder, 'nomad.json');
    await writeFile(file, JSON.stringify(nomadClientConfig({ ...place, ports, folder, dynamicPorts: dynamic.ports })), { mode: 0o600 });
    const ready = async (reach: Reach): Promise<boolean> =>
      (await reach.request({ url: `${url}/v1/agent/health?type=client` })).status === 200 && (await nodeReady(api));
    const client = await startServer({ name: 'nomad-client', command, args: ['agent', `-config=${file}`], netns, folder, ready });
    const stop = client.stop.bind(client);
    client.stop = async () => {
      const allocations = await readdir(join(folder, 'data', 'alloc')).catch(() => []);
      await stop();
      if (allocations.length > 0) await removeTaskCgroups(allocations);
      await dynamic.release();
    };
    return client;
  }).catch(async (error) => {
    await dynamic.release();
    throw error;
  });
}

/**
 * Ports for tasks that ask for any: Nomad hands them out without a look at who listens there, so each has a run of its own. Isthmus gives out
 * 16000-19999, and tests and their servers have 20000-29999.
 */
async function holdDynamicPorts(): Promise<{ ports: readonly [number, number]; release: () => Promise<void> }> {
  for (let first = 30_000; first < 32_000; first += 100) {
    const release = await holdPort(first);
    if (release !== undefined) return { ports: [first, first + 99], release };
  }
  throw new Error('all ports between 30000 and 32000 are held by Nomads of other tests');
}

async function nodeReady(api: RunningNomad['api']): Promise<boolean> {
  const nodes = JSON.parse((await api('GET', '/v1/nodes')).body) as { Status: string; Drivers?: Record<string, { Healthy: boolean }> }[];
  return nodes.some((node) => node.Status === 'ready' && node.Drivers?.['raw_exec']?.Healthy === true);
}

function nomadApi(reach: Reach, url: string, headers: Readonly<Record<string, string>>): RunningNomad['api'] {
  return async (method, path, body) => {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const reply = await reach.request({ url: `${url}${path}`, method, headers, ...sent });
    if (reply.status >= 200 && reply.status < 300) return reply;
    throw new Error(`nomad: ${method} ${path} answered ${reply.status}: ${reply.body}`);
  };
}

function nomadJobs(api: RunningNomad['api'], datacenter: string): Pick<RunningNomad, 'run' | 'allocations'> {
  return {
    run: async (service) => {
      if (service.namespace !== undefined && service.namespace !== 'default') {
        await api('PUT', `/v1/namespace/${service.namespace}`, { Name: service.namespace });
      }
      await api('POST', '/v1/jobs', { Job: rawExecJob(service, datacenter) });
    },
    allocations: async (job, namespace = 'default') => {
      const reply = await api('GET', `/v1/job/${encodeURIComponent(job)}/allocations?namespace=${encodeURIComponent(namespace)}`);
      return JSON.parse(reply.body) as NomadAllocation[];
    },
  };
}
