import { join } from 'node:path';
import { install } from './install.ts';
import { onFreePorts, type Running, startServer } from './server-process.ts';

export interface EtcdOptions {
  /** Network namespace to run in; that of this process unless said. */
  readonly netns?: string;
  /** Address to listen on and to advertise; 127.0.0.1 unless said. */
  readonly address?: string;
  readonly ports?: Partial<Record<'client' | 'peer', number>>;
}

export interface RunningEtcd extends Running {
  /** Client URL: gRPC, and its JSON gateway under /v3/. */
  readonly url: string;
}

/** Starts one etcd member that syncs every write to disk, ready when it has a leader. */
export async function startEtcd(options: EtcdOptions = {}): Promise<RunningEtcd> {
  const binary = (await install('etcd')).binary('etcd');
  const address = options.address ?? '127.0.0.1';
  const where = { name: 'etcd', netns: options.netns, fixed: options.ports };
  return onFreePorts(where, ['client', 'peer'], async (ports, folder) => {
    const url = `http://${address}:${ports.client}`;
    const peerUrl = `http://${address}:${ports.peer}`;
    const server = await startServer({
      name: 'etcd',
      command: binary,
      args: [
        `--name=one`,
        `--data-dir=${join(folder, 'data')}`,
        `--listen-client-urls=${url}`,
        `--advertise-client-urls=${url}`,
        `--listen-peer-urls=${peerUrl}`,
        `--initial-advertise-peer-urls=${peerUrl}`,
        `--initial-cluster=one=${peerUrl}`,
        '--log-level=warn',
      ],
      netns: options.netns,
      folder,
      ready: async (reach) => (await reach.request({ url: `${url}/health` })).status === 200,
    });
    return Object.assign(server, { url });
  });
}
