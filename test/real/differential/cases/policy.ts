import { clusterSan, sniName } from '../../../../core/model/index.ts';
import { servicePorts } from '../apps.ts';
import { mtlsCall, type ShownIdentity } from '../clients/mtls-call.ts';
import { httpOf, rawCall } from '../clients/raw-call.ts';
import { Forge, workload } from '../identities.ts';
import { trustDomain } from '../isthmus.ts';
import type { Mesh } from '../mesh.ts';
import type { Outcome } from '../outcome.ts';

interface Door {
  readonly name: string;
  readonly port: number;
  readonly sni: string;
  readonly speaks: 'http' | 'bytes';
}

const request = 'GET /asked HTTP/1.1\r\nhost: app.shop.mesh.internal\r\n\r\n';

/** Who is let in at each mTLS end, asked with whatever certificate; by `DOOR: WHO`. */
export async function playPolicy(mesh: Mesh): Promise<Readonly<Record<string, Outcome>>> {
  const forge = await Forge.at(mesh.east);
  const outcomes: Record<string, Outcome> = {};
  for (const door of doorsOf(mesh)) {
    for (const [who, identity] of Object.entries(callers(forge))) outcomes[`${door.name}: ${who}`] = await knock(mesh, door, { identity });
    const identity = forge.svid('east', 'shop', 'caller');
    outcomes[`${door.name}: an SNI that nobody has`] = await knock(mesh, door, {
      identity,
      sni: 'outbound_.80_._.nobody.shop.mesh.internal',
    });
    outcomes[`${door.name}: the app's own host name as SNI`] = await knock(mesh, door, { identity, sni: 'web.shop.mesh.internal' });
    outcomes[`${door.name}: no SNI`] = await knock(mesh, door, { identity, sni: undefined });
    outcomes[`${door.name}: TLS 1.2`] = await knock(mesh, door, { identity, maxVersion: 'TLSv1.2' });
    outcomes[`${door.name}: an ALPN that it does not speak`] = await knock(mesh, door, { identity, alpn: ['acme-tls/1'] });
    outcomes[`${door.name}: no TLS`] = await plaintext(mesh, door);
  }
  return outcomes;
}

function doorsOf({ servers, westGateway }: Mesh): readonly Door[] {
  const sni = (service: string, port: number, subset = '') => sniName({ port, subset, host: `${service}.shop.mesh.internal` });
  return [
    { name: 'sidecar of web', port: servers.web.inbound, sni: sni('web', servicePorts.web), speaks: 'http' },
    { name: 'sidecar of wire', port: servers.wire.inbound, sni: sni('wire', servicePorts.wire), speaks: 'bytes' },
    { name: 'gateway for open', port: westGateway.port, sni: sni('open', servicePorts.web, 'gateway'), speaks: 'http' },
    { name: 'gateway for bytes of open', port: westGateway.port, sni: sni('open', servicePorts.wire, 'gateway'), speaks: 'bytes' },
    { name: 'gateway for hidden', port: westGateway.port, sni: sni('hidden', servicePorts.web, 'gateway'), speaks: 'http' },
  ];
}

function callers(forge: Forge): Readonly<Record<string, ShownIdentity | undefined>> {
  const [east, west] = ['east', 'west'].map((cluster) => clusterSan(cluster, trustDomain)) as [string, string];
  const caller = workload('shop', 'caller');
  return {
    'a workload of east': forge.svid('east', 'shop', 'caller'),
    "east's gateway": forge.svid('east', 'isthmus-system', 'gateway'),
    'a workload of its own cluster': forge.svid('west', 'anything', 'else'),
    'a namespace that east may not speak for': forge.svid('east', 'outsiders', 'caller'),
    'a cluster that is no peer': forge.svid('north', 'shop', 'caller'),
    'no certificate': undefined,
    'no DNS SAN': forge.leaf('east', { uris: [caller], dns: [] }),
    'two DNS SANs': forge.leaf('east', { uris: [caller], dns: [east, `x.${east}`] }),
    "the name of west, signed by east's intermediate": forge.leaf('east', { uris: [caller], dns: [west] }),
    'no URI SAN': forge.leaf('east', { uris: [], dns: [east] }),
    'two URI SANs': forge.leaf('east', { uris: [caller, workload('shop', 'admin')], dns: [east] }),
    'a URI SAN of another trust domain': forge.leaf('east', { uris: [workload('shop', 'caller', 'other.test')], dns: [east] }),
    'an expired certificate': forge.leaf('east', { uris: [caller], dns: [east] }, { expired: true }),
    'a root that nobody trusts': forge.leaf('east', { uris: [caller], dns: [east] }, { foreign: true }),
  };
}

interface Knock {
  readonly identity: ShownIdentity | undefined;
  readonly sni?: string | undefined;
  readonly maxVersion?: 'TLSv1.2';
  readonly alpn?: readonly string[];
}

async function knock({ apps }: Mesh, { port, sni, speaks }: Door, how: Knock): Promise<Outcome> {
  apps.http.behave((_request, response) => void response.end('welcome'));
  apps.tcp.behave((socket) => void socket.once('data', () => socket.end('welcome')));
  const alpn = speaks === 'http' ? ['http/1.1'] : undefined;
  const { text, server } = await mtlsCall({ port, sni, ...(alpn === undefined ? {} : { alpn }), send: request, ...how });
  if (text === '') return 'refused without a byte';
  const { status, body } = httpOf({ bytes: Buffer.from(text, 'latin1'), ended: 'open' });
  return speaks === 'http' ? { status, body: body.replace(/^7\r\n|\r\n0\r\n\r\n$/g, ''), server } : { text, server };
}

async function plaintext({ apps }: Mesh, { port }: Door): Promise<Outcome> {
  apps.http.behave((_request, response) => void response.end('welcome'));
  apps.tcp.behave((socket) => void socket.once('data', () => socket.end('welcome')));
  const { bytes } = await rawCall({ port, send: request, quietMs: 3_000 });
  return bytes.length === 0 ? 'refused without a byte' : bytes.toString('latin1');
}
