import { access, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Contender } from './converge-envoy.ts';
import { startEnvoyOf } from './converge-envoy.ts';
import { freePorts, output, type Stop, startProcess } from './converge-process.ts';

/** ISTHMUS_CONSUL, or where the project's servers are kept; undefined where there is none. */
export async function findConsul(): Promise<string | undefined> {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const path = process.env['ISTHMUS_CONSUL'] ?? join(cache, 'isthmus-servers/consul-1.19.2/bin/consul');
  return access(path).then(
    () => path,
    () => undefined,
  );
}

/** One Consul agent in -dev mode on loopback, with its own xDS. */
export class BenchConsul {
  readonly url: string;
  readonly stop: Stop;
  readonly #binary: string;
  readonly #grpc: string;

  private constructor(binary: string, url: string, grpc: string, stop: Stop) {
    this.#binary = binary;
    this.url = url;
    this.#grpc = grpc;
    this.stop = stop;
  }

  static async start(binary: string, dir: string): Promise<BenchConsul> {
    const ports = await freePorts('http', 'grpc', 'server', 'serf_lan');
    const url = `http://127.0.0.1:${ports.http}`;
    const config = {
      node_name: 'bench',
      bind_addr: '127.0.0.1',
      client_addr: '127.0.0.1',
      ports: { ...ports, dns: -1, serf_wan: -1, grpc_tls: -1, https: -1 },
      connect: { enabled: true },
      disable_update_check: true,
      log_level: 'WARN',
    };
    const file = join(dir, 'consul.json');
    await writeFile(file, JSON.stringify(config), { mode: 0o600 });
    const ready = async () => {
      const answer = await fetch(`${url}/v1/health/service/consul?passing`);
      return answer.ok && ((await answer.json()) as unknown[]).length > 0;
    };
    const stop = await startProcess({ name: 'consul', command: binary, args: ['agent', '-dev', `-config-file=${file}`], dir, ready });
    return new BenchConsul(binary, url, `http://127.0.0.1:${ports.grpc}`, stop);
  }

  /**
   * An instance that takes part in Consul's mesh by itself (Connect native), so that the same registration is an endpoint for both contenders.
   * Resolves when Consul has committed it.
   */
  add(service: string, port: number): Promise<void> {
    return this.#put('service/register', {
      ID: idOf(service, port),
      Name: service,
      Address: '127.0.0.1',
      Port: port,
      Connect: { Native: true },
    });
  }

  /** Resolves when Consul has committed it. */
  remove(service: string, port: number): Promise<void> {
    return this.#put(`service/deregister/${idOf(service, port)}`);
  }

  /** Envoy with the bootstrap of `consul connect envoy`, beside a caller that has `service` as its upstream. */
  async startEnvoy(envoy: string, dir: string, service: string): Promise<Contender> {
    const ports = await freePorts('admin', 'inbound', 'app', 'upstream');
    await this.#put('service/register', {
      ID: 'caller-proxy',
      Name: 'caller-sidecar-proxy',
      Kind: 'connect-proxy',
      Address: '127.0.0.1',
      Port: ports.inbound,
      Proxy: {
        DestinationServiceName: 'caller',
        LocalServiceAddress: '127.0.0.1',
        LocalServicePort: ports.app,
        Upstreams: [{ DestinationName: service, LocalBindAddress: '127.0.0.1', LocalBindPort: ports.upstream }],
      },
    });
    const bootstrap = await output(this.#binary, [
      ...['connect', 'envoy', '-proxy-id', 'caller-proxy', '-bootstrap', '-ignore-envoy-compatibility'],
      ...['-http-addr', this.url, '-grpc-addr', this.#grpc, '-admin-bind', `127.0.0.1:${ports.admin}`],
    ]);
    return startEnvoyOf({ name: 'envoy-of-consul', envoy, dir, bootstrap, adminPort: ports.admin });
  }

  async #put(path: string, body?: unknown): Promise<void> {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const answer = await fetch(`${this.url}/v1/agent/${path}`, { method: 'PUT', ...sent });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`Consul answered ${answer.status} to ${path}: ${text}`);
  }
}

function idOf(service: string, port: number): string {
  return `${service}-${port}`;
}
