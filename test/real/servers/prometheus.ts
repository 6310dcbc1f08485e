import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { install } from './install.ts';
import { onFreePorts, type Running, startServer } from './server-process.ts';

export interface PrometheusOptions {
  /** Network namespace to run in; that of this process unless said. */
  readonly netns?: string;
  /** Address to listen on; 127.0.0.1 unless said. */
  readonly address?: string;
  readonly port?: number;
  /** HOST:PORT of what it scrapes, once a second, by job. Each job's path is /metrics. */
  readonly jobs?: Readonly<Record<string, readonly string[]>>;
}

export interface RunningPrometheus extends Running {
  readonly url: string;
  /** The values of an instant query, by the text of their labels. Rejects on a status that is not 200. */
  query(expression: string): Promise<ReadonlyMap<string, number>>;
}

/** Starts a Prometheus that keeps what it scrapes in its work folder, ready when it answers queries. */
export async function startPrometheus(options: PrometheusOptions = {}): Promise<RunningPrometheus> {
  const binary = (await install('prometheus')).binary('prometheus');
  const address = options.address ?? '127.0.0.1';
  const where = { name: 'prometheus', netns: options.netns, fixed: { http: options.port } as { http?: number } };
  return onFreePorts(where, ['http'], async ({ http }, folder) => {
    const url = `http://${address}:${http}`;
    const config = join(folder, 'prometheus.yml');
    // YAML is a superset of JSON.
    await writeFile(config, JSON.stringify(configOf(options.jobs ?? {})));
    const server = await startServer({
      name: 'prometheus',
      command: binary,
      args: [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=${address}:${http}`,
        '--log.level=warn',
      ],
      netns: options.netns,
      folder,
      ready: async (reach) => (await reach.request({ url: `${url}/-/ready` })).status === 200,
    });
    const query = async (expression: string): Promise<ReadonlyMap<string, number>> => {
      const reply = await server.reach.request({ url: `${url}/api/v1/query?query=${encodeURIComponent(expression)}` });
      if (reply.status !== 200) throw new Error(`prometheus: ${expression}: ${reply.status}: ${reply.body}`);
      const { data } = JSON.parse(reply.body) as { data: { result: { metric: object; value: [number, string] }[] } };
      return new Map(data.result.map(({ metric, value }) => [JSON.stringify(metric), Number(value[1])]));
    };
    return Object.assign(server, { url, query });
  });
}

function configOf(jobs: Readonly<Record<string, readonly string[]>>): object {
  return {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    scrape_configs: Object.entries(jobs).map(([job_name, targets]) => ({ job_name, static_configs: [{ targets }] })),
  };
}
