import { httpGet } from './http-get.ts';
import type { Script } from './script.ts';
import type { Site } from './site.ts';
import type { OwnRegistry } from './site-config.ts';
import { until } from './until.ts';

/** The user's own registries: their services merged, and for each that answers a curl through both clusters' gateways. */
export async function showOwnServices(script: Script, east: Site, west: Site, registries: readonly OwnRegistry[]): Promise<void> {
  await script.step(`your own registries are read: ${registries.map((r) => r.type).join(', ')}`, async () =>
    until(
      'every registry has been read',
      async () => {
        const { sources } = await east.status();
        const own = sources.filter((s) => s.source.includes('/own-'));
        const waiting = own.filter((s) => s.state !== 'live');
        if (waiting.length > 0)
          throw new Error(waiting.map((s) => `${s.source} is ${s.state}${s.error === undefined ? '' : `: ${s.error}`}`).join('; '));
        return own.length === registries.length;
      },
      55_000,
    ),
  );
  const { services } = await east.status();
  const own = services.filter((s) => s.endpoints.some((e) => e.source.includes('/own-')));
  script.say(`\nYour services, merged (${own.length}):`);
  for (const s of own) {
    const places = s.endpoints.map((e) => `${e.healthy}/${e.healthy + e.unhealthy + e.draining} in ${e.source}`).join(', ');
    script.say(`  ${s.namespace}/${s.name}  ports ${s.ports.map((p) => p.port).join(', ') || 'none'}  ${places}`);
  }
  script.say('\nThose that answer, called in west through both gateways:');
  const ports = own.flatMap((s) => s.ports.map(({ port }) => ({ service: `${s.namespace}/${s.name}`, port })));
  const gatewayPorts = await gatewayPortsOf(west, ports);
  // All at once: each that does not answer costs seconds, and there may be hundreds.
  const lines = await Promise.all(
    ports.map(async ({ service, port }) => {
      const gatewayPort = gatewayPorts.get(`${service}:${port}`);
      const reply = gatewayPort === undefined ? undefined : await httpGet(gatewayPort, '/', 3_000).catch(() => undefined);
      if (reply === undefined || reply.status >= 500) return undefined;
      return `  curl http://127.0.0.1:${gatewayPort}/   # ${service}:${port}, answered ${reply.status}`;
    }),
  );
  const answering = lines.filter((line) => line !== undefined);
  for (const line of answering) script.say(line);
  script.say(`  ${answering.length} of ${ports.length} ports answered HTTP`);
}

/** Gateway ports of west by `SERVICE:PORT`. East's services take a moment to get there; what has none after a while is left out. */
async function gatewayPortsOf(west: Site, ports: readonly { service: string; port: number }[]): Promise<ReadonlyMap<string, number>> {
  let known = new Map<string, number>();
  await until(
    'west has a gateway port for each',
    async () => {
      const { services } = await west.status();
      const all = services.flatMap((s) => s.ports.map((p) => [`${s.namespace}/${s.name}:${p.port}`, p.gatewayPort] as const));
      known = new Map(all.flatMap(([name, port]) => (port === undefined ? [] : [[name, port] as const])));
      return ports.every(({ service, port }) => known.has(`${service}:${port}`));
    },
    10_000,
  ).catch(() => undefined);
  return known;
}
