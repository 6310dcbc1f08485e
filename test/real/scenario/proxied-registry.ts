import { fileURLToPath } from 'node:url';
import type { Breakage } from '../../fakes/breakable-server.ts';
import type { Host } from '../servers/index.ts';
import { startServer } from '../servers/server-process.ts';
import { makeWorkFolder } from '../servers/work-folder.ts';

/** A real registry behind a proxy on a host's loopback, which breaks it in the ways that it cannot do itself. */
export interface ProxiedRegistry {
  /** What a control plane on that host is configured with. */
  readonly url: string;
  break(how: Breakage): Promise<void>;
  repair(): Promise<void>;
  stop(): Promise<void>;
}

export async function startRegistryProxy(host: Host, name: string, target: string): Promise<ProxiedRegistry> {
  const port = await host.reach.freePort();
  const command = `http://127.0.0.1:${port}`;
  const running = await startServer({
    name: `proxy-${name}`,
    command: process.execPath,
    args: [fileURLToPath(new URL('./registry-proxy.js', import.meta.url)), target, String(port)],
    netns: host.netns,
    folder: await makeWorkFolder(`proxy-${name}`),
    ready: async (reach) => (await reach.request({ url: command })).status === 200,
  });
  const { body: url } = await host.reach.request({ url: command });
  const order = async (what: string) => void (await host.reach.request({ url: `${command}/${what}`, method: 'POST' }));
  return { url, break: order, repair: () => order('repair'), stop: () => running.stop() };
}
