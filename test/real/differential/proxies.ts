import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { install } from '../servers/install.ts';
import { trustDomain } from './isthmus.ts';
import { keep, type Place } from './place.ts';
import type { Site } from './site.ts';

/** Which program carries the bytes; the same agent or gateway decides for it either way. */
export type ProxyKind = 'isthmus' | 'envoy';

async function proxyFlags(kind: ProxyKind): Promise<readonly string[]> {
  if (kind === 'isthmus') return [];
  return ['--proxy', 'envoy', '--envoy-path', (await install('envoy')).binary('envoy')];
}

export interface ProxyAdmin {
  readonly name: string;
  readonly kind: ProxyKind;
  /** Status of the agent or gateway. */
  readonly url: string;
  readonly metricsUrl: string;
}

export interface MeshGateway extends ProxyAdmin {
  /** East-west. */
  readonly port: number;
}

export interface GatewaySpec {
  /** That of the site's cluster unless said. */
  readonly network?: string;
  /** Of loopback, for everything; 127.0.0.1 unless said. Gateways of one cluster need their own: their ports for callers without a sidecar are the same. */
  readonly address?: string;
}

export async function startMeshGateway(place: Place, site: Site, kind: ProxyKind, spec: GatewaySpec = {}): Promise<MeshGateway> {
  const { network = site.cluster, address = '127.0.0.1' } = spec;
  const name = `gateway-${network}`;
  const folder = await place.folder(name);
  await writeFile(join(folder, 'token'), await site.run('gateway', 'token', '--max-uses', '1'), { mode: 0o600 });
  const [port, health, metrics] = [await place.port(), await place.port(), await place.port()];
  const where = ['--listen', `${address}:${port}`, '--advertise', address, '--originate-address', address, '--network', network];
  const admin = ['--health', `127.0.0.1:${health}`, '--metrics', `127.0.0.1:${metrics}`, '--drain', '1s', '--instance', name];
  const files = ['--token-file', join(folder, 'token'), '--state-dir', join(folder, 'state')];
  const url = `http://127.0.0.1:${health}`;
  const args = ['gateway', ...files, ...where, ...admin, ...(await proxyFlags(kind))];
  await keep(place, { name, args, folder, ready: `${url}/healthz/ready` });
  return { name, kind, url, metricsUrl: `http://127.0.0.1:${metrics}/metrics`, port };
}

export interface SidecarSpec {
  /** Of namespace `shop`. */
  readonly service: string;
  readonly port: number;
  readonly protocol: 'http' | 'grpc' | 'http2' | 'tcp';
  /** Of the app, on 127.0.0.1. */
  readonly appPort: number;
  readonly network?: string;
  /** HOST:PORT of mesh services that local programs dial. */
  readonly calls?: readonly string[];
}

export interface Sidecar extends ProxyAdmin {
  readonly spiffeId: string;
  /** mTLS, on 127.0.0.1. */
  readonly inbound: number;
  /** HOST:PORT → port of 127.0.0.1. */
  readonly outbound: ReadonlyMap<string, number>;
}

/** `isthmus vm join` beside an app, with explicit local ports for what it calls. */
export async function startSidecar(place: Place, site: Site, kind: ProxyKind, spec: SidecarSpec): Promise<Sidecar> {
  const { service, port, protocol, appPort, network = site.cluster, calls = [] } = spec;
  const name = `agent-${service}`;
  const folder = await place.folder(name);
  const limits = ['--max-uses', '1', '--protocol', protocol];
  const token = await site.run('vm', 'token', `shop/${service}`, '--port', String(port), ...limits);
  const [inbound, admin, dns] = [await place.port(), await place.port(), await place.port()];
  const outbound = new Map<string, number>();
  for (const target of calls) outbound.set(target, await place.port());
  const app = [
    '--service',
    `shop/${service}`,
    '--port',
    String(port),
    '--app-port',
    String(appPort),
    '--protocol',
    protocol,
    '--health',
    'exec:/bin/true',
  ];
  const where = ['--address', '127.0.0.1', '--inbound', `127.0.0.1:${inbound}`, '--network', network, '--no-loopback'];
  const own = ['--admin', `127.0.0.1:${admin}`, '--dns', `127.0.0.1:${dns}`, '--drain', '1s'];
  const files = ['--instance', service, '--state-dir', join(folder, 'state')];
  const ports = [...outbound].flatMap(([target, local]) => ['--outbound', `${target}=${local}`]);
  const url = `http://127.0.0.1:${admin}`;
  const args = ['vm', 'join', token, ...app, ...where, ...own, ...files, ...ports, ...(await proxyFlags(kind))];
  await keep(place, { name, args, folder, ready: `${url}/healthz/ready` });
  return { name, kind, url, metricsUrl: `${url}/metrics`, inbound, outbound, spiffeId: `spiffe://${trustDomain}/ns/shop/sa/${service}` };
}
