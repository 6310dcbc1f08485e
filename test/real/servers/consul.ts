import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HttpReply } from './http-request.ts';
import { install } from './install.ts';
import { onFreePorts, type Running, startServer } from './server-process.ts';

export type ConsulPort = 'http' | 'dns' | 'server' | 'serfLan';

export interface ConsulOptions {
  /** Network namespace to run in; that of this process unless said. */
  readonly netns?: string;
  /** Address that the agent binds and advertises; 127.0.0.1 unless said. */
  readonly address?: string;
  /** Addresses on which HTTP and DNS answer; the same as `address` unless said. */
  readonly clientAddress?: string;
  readonly ports?: Partial<Record<ConsulPort, number>>;
  readonly datacenter?: string;
  /** True: ACLs on, default deny, with a fresh management token. */
  readonly acl?: boolean;
  /** False: everything in memory, so that `restart` comes back empty with lower indexes. True unless said. */
  readonly durable?: boolean;
}

export interface RunningConsul extends Running {
  readonly url: string;
  readonly datacenter: string;
  /** Where its DNS answers, UDP and TCP. */
  readonly dns: { readonly address: string; readonly port: number };
  /** The management token, where ACLs are on. */
  readonly token: string | undefined;
  /** A call to its HTTP API with that token, from where it runs. `body` is sent as JSON. Rejects on a status that is not 2xx. */
  api(method: string, path: string, body?: unknown): Promise<HttpReply>;
}

/** Starts a Consul server of its own datacenter, ready when it has a leader that accepts writes. */
export async function startConsul(options: ConsulOptions = {}): Promise<RunningConsul> {
  const binary = (await install('consul')).binary('consul');
  const address = options.address ?? '127.0.0.1';
  const clientAddress = options.clientAddress ?? address;
  const datacenter = options.datacenter ?? 'dc1';
  const token = options.acl === true ? randomUUID() : undefined;
  const headers: Record<string, string> = token === undefined ? {} : { 'X-Consul-Token': token };
  const where = { name: 'consul', netns: options.netns, fixed: options.ports };
  return onFreePorts<ConsulPort, RunningConsul>(where, ['http', 'dns', 'server', 'serfLan'], async (ports, folder) => {
    const contact = clientAddress === '0.0.0.0' ? address : clientAddress;
    const url = `http://${contact}:${ports.http}`;
    const config = consulConfig({ address, clientAddress, datacenter, token, ports, folder });
    await writeFile(join(folder, 'consul.json'), JSON.stringify(config), { mode: 0o600 });
    const server = await startServer({
      name: 'consul',
      command: binary,
      args: ['agent', ...(options.durable === false ? ['-dev'] : []), `-config-file=${join(folder, 'consul.json')}`],
      netns: options.netns,
      folder,
      ready: async (reach) => {
        // The agent's own service is in the catalog only after it could write through the leader.
        const reply = await reach.request({ url: `${url}/v1/health/service/consul?passing`, headers });
        return reply.status === 200 && (JSON.parse(reply.body) as unknown[]).length > 0;
      },
    });
    return Object.assign(server, {
      url,
      datacenter,
      token,
      dns: { address: contact, port: ports.dns },
      api: async (method: string, path: string, body?: unknown): Promise<HttpReply> => {
        const sent = body === undefined ? {} : { body: JSON.stringify(body) };
        const reply = await server.reach.request({ url: `${url}${path}`, method, headers, ...sent });
        if (reply.status >= 200 && reply.status < 300) return reply;
        throw new Error(`consul: ${method} ${path} answered ${reply.status}: ${reply.body}`);
      },
    });
  });
}

interface ConsulConfigInput {
  readonly address: string;
  readonly clientAddress: string;
  readonly datacenter: string;
  readonly token: string | undefined;
  readonly ports: Readonly<Record<ConsulPort, number>>;
  readonly folder: string;
}

function consulConfig(input: ConsulConfigInput): Record<string, unknown> {
  const { ports } = input;
  return {
    node_name: `node-${input.datacenter}`,
    datacenter: input.datacenter,
    data_dir: join(input.folder, 'data'),
    server: true,
    bootstrap: true,
    bind_addr: input.address,
    advertise_addr: input.address,
    client_addr: input.clientAddress,
    ports: {
      http: ports.http,
      dns: ports.dns,
      server: ports.server,
      serf_lan: ports.serfLan,
      serf_wan: -1,
      grpc: -1,
      grpc_tls: -1,
      https: -1,
    },
    performance: { raft_multiplier: 1 },
    // A check's new state must be in the catalog at once: the agent otherwise holds back changes of output for 5 minutes.
    check_update_interval: '0s',
    enable_local_script_checks: true,
    disable_update_check: true,
    disable_remote_exec: true,
    leave_on_terminate: false,
    skip_leave_on_interrupt: true,
    log_level: 'WARN',
    ...(input.token === undefined
      ? {}
      : { acl: { enabled: true, default_policy: 'deny', tokens: { initial_management: input.token, agent: input.token } } }),
  };
}
