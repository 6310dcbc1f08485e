import { fileURLToPath } from 'node:url';
import type { Host, Running } from '../servers/index.ts';
import { onFreePorts, startServer } from '../servers/server-process.ts';

/** The server at `url`, on the same host, as one whose clock is off by so much. */
export function startClockProxy(host: Host, url: string, byMs: number): Promise<Running & { readonly url: string }> {
  return onFreePorts({ name: 'clock-proxy', netns: host.netns }, ['http'], async ({ http }, folder) => {
    const at = `http://${host.address}:${http}`;
    const running = await startServer({
      name: 'clock-proxy',
      command: process.execPath,
      args: [fileURLToPath(new URL('./clock-proxy.js', import.meta.url)), url, host.address, String(http), String(byMs)],
      netns: host.netns,
      folder,
      ready: async (reach) => (await reach.request({ url: `${at}/-/ready`, method: 'POST' })).status > 0,
    });
    return Object.assign(running, { url: at });
  });
}
