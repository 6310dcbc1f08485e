import { request } from 'node:http';
import type { TestContext } from 'node:test';
import type { Resource } from '../../control/snapshot/index.ts';
import type { RunningEnvoy } from '../real/servers/index.ts';
import { EnvoyMesh, untilListening } from './envoy-mesh.ts';
import { MeshPki } from './mesh-pki.ts';
import { deadPort } from './mesh-sockets.ts';
import { StaticSnapshots } from './static-snapshots.ts';

export interface StaticMesh {
  readonly pki: MeshPki;
  readonly mesh: EnvoyMesh;
  /** Replaces all that is served. */
  set(owners: Readonly<Record<string, readonly Resource[]>>): void;
  /** A sidecar of shop/web with labels app=web and a local port for each (service, port). */
  sidecar(services: Readonly<Record<string, number>>): Promise<{ envoy: RunningEnvoy; ports: Readonly<Record<string, number>> }>;
}

/** A control plane that serves what the test wrote. */
export async function startStaticMesh(t: TestContext, options: { readonly drainSeconds?: number } = {}): Promise<StaticMesh> {
  const pki = new MeshPki();
  const intermediates = ['east', 'west'].map((cluster) => ({ cluster, certificate: pki.cluster(cluster).certificate.der }));
  const trust = { trustDomain: pki.trustDomain, roots: pki.bundle.roots, intermediates, deniedSerials: [] };
  const snapshots = new StaticSnapshots({ hostSuffix: 'mesh.internal', trust });
  const mesh = await new EnvoyMesh(t, pki, snapshots).start();
  return {
    pki,
    mesh,
    set: (owners) => {
      snapshots.set(owners);
      mesh.publish();
    },
    sidecar: async (services) => {
      const listeners = await Promise.all(Object.entries(services).map(async ([name, port]) => ({ name, port, listen: await deadPort() })));
      const outbound = listeners.map((each) => ({ namespace: 'shop', address: '127.0.0.1', ...each }));
      const envoy = await mesh.envoy('web', { labels: { app: 'web' }, claims: { outbound }, ...options });
      await untilListening(
        envoy,
        listeners.map(({ listen }) => `outbound|127.0.0.1|${listen}`),
      );
      return { envoy, ports: Object.fromEntries(listeners.map(({ name, listen }) => [name, listen])) };
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
  /** What the application saw, where one answered. */
  readonly app: { readonly app?: string; readonly url?: string; readonly headers?: Readonly<Record<string, string>> };
}

/** One request on a connection of its own, with headers that fetch does not let one set. */
export function ask(
  port: number,
  path: string,
  options: { method?: string; headers?: Record<string, string>; localAddress?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, path, agent: false, ...options }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on('error', reject);
      response.on('end', () => {
        const app = text.startsWith('{') ? (JSON.parse(text) as Answer['app']) : {};
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, app });
      });
    });
    call.on('error', reject);
    call.end();
  });
}
