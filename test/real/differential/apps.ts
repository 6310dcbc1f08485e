import { GrpcBackend } from './backends/grpc-backend.ts';
import { HttpBackend } from './backends/http-backend.ts';
import { Http2Backend } from './backends/http2-backend.ts';
import { TcpBackend } from './backends/tcp-backend.ts';
import type { Place } from './place.ts';
import { serviceEntry } from './site-config.ts';

/** The applications of one mesh, in this process, each behaving as the running case says. */
export interface Apps {
  readonly http: HttpBackend;
  readonly tcp: TcpBackend;
  readonly grpc: GrpcBackend;
  readonly http2: Http2Backend;
}

export const servicePorts = { web: 80, rpc: 90, h2: 95, wire: 100 } as const;

const web = { number: servicePorts.web, name: 'web', protocol: 'HTTP' } as const;
const rpc = { number: servicePorts.rpc, name: 'rpc', protocol: 'GRPC' } as const;
const h2 = { number: servicePorts.h2, name: 'h2', protocol: 'HTTP2' } as const;
const wire = { number: servicePorts.wire, name: 'wire', protocol: 'TCP' } as const;

export async function startApps(place: Place): Promise<Apps> {
  const apps = { http: new HttpBackend(), tcp: new TcpBackend(), grpc: new GrpcBackend(), http2: new Http2Backend() };
  for (const each of Object.values(apps)) place.ending(() => each.close());
  await Promise.all([apps.tcp.open(), apps.grpc.open(), apps.http2.open()]);
  return apps;
}

/**
 * YAML of the services without a sidecar: `open` has all protocols; `several` two endpoints and one that drains; of `flaky` one of two endpoints
 * refuses; `down` has none that answers, `empty` none that is healthy; `hidden` is not exported.
 */
export async function plainServices(place: Place, { http, tcp, grpc, http2 }: Apps): Promise<string> {
  const [single, one, two, draining] = [
    await http.open('single'),
    await http.open('one'),
    await http.open('two'),
    await http.open('draining'),
  ];
  const nobody = await place.port();
  const rest = { rpc: grpc.port, h2: http2.port, wire: tcp.port };
  const pair = (name: string, ...endpoints: Parameters<typeof serviceEntry>[0]['endpoints']) =>
    serviceEntry({ name, ports: [web, wire], endpoints });
  const answering = { ports: { web: single, wire: tcp.port } };
  const refusing = { ports: { web: nobody, wire: nobody } };
  // Of its own: endpoints that have one address and port in common are one.
  const several = serviceEntry({
    name: 'several',
    ports: [web],
    endpoints: [{ ports: { web: one } }, { ports: { web: two } }, { ports: { web: draining }, health: 'draining' }],
  });
  const open = serviceEntry({ name: 'open', ports: [web, rpc, h2, wire], endpoints: [{ ports: { web: single, ...rest } }] });
  return [
    open,
    several,
    pair('flaky', answering, refusing),
    pair('down', refusing),
    pair('empty', { ...answering, health: 'unhealthy' }),
    pair('hidden', answering),
  ].join('');
}
