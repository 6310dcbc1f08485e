import { join } from 'node:path';

export type NomadPort = 'http' | 'rpc' | 'serf';

interface AgentInput {
  readonly address: string;
  readonly datacenter: string;
  readonly region: string;
  readonly acl: boolean;
  readonly folder: string;
}

/** The configuration of a server agent, in Nomad's JSON form. Pure. */
export function nomadServerConfig(input: AgentInput & { readonly ports: Readonly<Record<NomadPort, number>> }): Record<string, unknown> {
  const { address, ports } = input;
  return {
    ...common(input, `server-${input.datacenter}`),
    advertise: { http: `${address}:${ports.http}`, rpc: `${address}:${ports.rpc}`, serf: `${address}:${ports.serf}` },
    ports: { http: ports.http, rpc: ports.rpc, serf: ports.serf },
    server: {
      enabled: true,
      bootstrap_expect: 1,
      raft_multiplier: 1,
      // A lost client must show within seconds, not the half minute that suits a data centre.
      heartbeat_grace: '2s',
      min_heartbeat_ttl: '2s',
    },
  };
}

/** The configuration of a client agent that runs raw_exec tasks, in Nomad's JSON form. Pure. */
export function nomadClientConfig(
  input: AgentInput & {
    readonly ports: { readonly http: number };
    readonly rpc: string;
    readonly networkInterface: string;
    /** Inclusive: what it gives to tasks that ask for any port. */
    readonly dynamicPorts: readonly [number, number];
  },
): Record<string, unknown> {
  const { address, ports } = input;
  return {
    ...common(input, `client-${input.datacenter}`),
    // A client opens only the first, and still refuses loopback for the others unless it is written out.
    advertise: { http: `${address}:${ports.http}`, rpc: address, serf: address },
    ports: { http: ports.http },
    client: {
      enabled: true,
      servers: [input.rpc],
      network_interface: input.networkInterface,
      min_dynamic_port: input.dynamicPorts[0],
      max_dynamic_port: input.dynamicPorts[1],
      options: {
        // The cloud fingerprints ask an address that is not ours; the others look for what tests do not use, and take seconds.
        'fingerprint.denylist': 'env_aws,env_azure,env_digitalocean,env_gce,consul,vault,bridge,cni,plugins_cni,landlock',
        'driver.allowlist': 'raw_exec',
      },
    },
    plugin: [{ raw_exec: [{ config: [{ enabled: true }] }] }],
  };
}

function common(input: AgentInput, name: string): Record<string, unknown> {
  return {
    name,
    region: input.region,
    datacenter: input.datacenter,
    data_dir: join(input.folder, 'data'),
    bind_addr: input.address,
    log_level: 'WARN',
    disable_update_check: true,
    leave_on_terminate: false,
    leave_on_interrupt: false,
    acl: { enabled: input.acl },
    // It would otherwise join whatever Consul answers on this machine.
    consul: [{ address: '127.0.0.1:1', auto_advertise: false, server_auto_join: false, client_auto_join: false }],
  };
}
