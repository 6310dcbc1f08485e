import { isIP } from 'node:net';
import {
  type EndpointRecord,
  type Health,
  isDnsLabel,
  networkId,
  type Protocol,
  parseLocality,
  parseSpiffeId,
  type Runtime,
  type ServicePort,
  sourceId,
  type TlsMode,
} from '../../core/model/index.ts';
import { accept, type Checked, reject, type Violation } from '../../core/validate.ts';
import { peering, peeringTypeUrls as urls } from '../../core/xds/index.ts';
import {
  decodeHeldObject,
  decodeObjectsState,
  decodeSharedObject,
  decodeTentativeObject,
  type ReceivedObject,
  type ReceivedTentative,
} from './decode-objects.ts';
import { endpointName } from './export-records.ts';

/** A peer's service without its endpoints. */
export interface ImportedService {
  readonly namespace: string;
  readonly name: string;
  readonly ports: readonly ServicePort[];
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: number;
}

export type PeerResource =
  | { readonly kind: 'service'; readonly value: ImportedService }
  | { readonly kind: 'endpoint'; readonly service: string; readonly source: string; readonly value: EndpointRecord }
  | { readonly kind: 'gateway'; readonly value: peering.PeerGateway }
  | { readonly kind: 'trust'; readonly value: peering.PeerTrust }
  | { readonly kind: 'source'; readonly value: peering.SourceState }
  | { readonly kind: 'object'; readonly value: ReceivedObject }
  | { readonly kind: 'tentative'; readonly value: ReceivedTentative }
  | { readonly kind: 'objects'; readonly value: peering.ObjectsState }
  | { readonly kind: 'held'; readonly value: peering.HeldObject }
  | { readonly kind: 'mark'; readonly value: peering.SyncMark };

const isPort = (port: number) => Number.isInteger(port) && port >= 1 && port <= 65_535;
const protocols = ['tcp', 'http', 'http2', 'grpc', 'tls'];
const healths = ['healthy', 'unhealthy', 'draining', 'unknown'];
const sourceForm = /^[A-Za-z0-9._/-]{1,253}$/;
const longestText = 512;

/** What a peer's resource says, checked so that nothing it holds can hurt here; or everything that is wrong with it. Never throws. */
export function decodePeerResource(typeUrl: string, name: string, bytes: Uint8Array): Checked<PeerResource> {
  try {
    switch (typeUrl) {
      case urls.service:
        return decodeService(name, peering.ExportedService.decode(bytes));
      case urls.endpoint:
        return decodeEndpoint(name, peering.ExportedEndpoint.decode(bytes));
      case urls.gateway:
        return decodeGateway(name, peering.PeerGateway.decode(bytes));
      case urls.trust:
        return decodeTrust(name, peering.PeerTrust.decode(bytes));
      case urls.sourceState:
        return decodeSource(name, peering.SourceState.decode(bytes));
      case urls.sharedObject: {
        const read = checkedAs((report) => decodeSharedObject(name, bytes, report));
        return read.ok ? accept({ kind: 'object', value: read.value }) : read;
      }
      case urls.tentativeObject: {
        const read = checkedAs((report) => decodeTentativeObject(name, bytes, report));
        return read.ok ? accept({ kind: 'tentative', value: read.value }) : read;
      }
      case urls.objectsState: {
        const read = checkedAs((report) => decodeObjectsState(name, bytes, report));
        return read.ok ? accept({ kind: 'objects', value: read.value }) : read;
      }
      case urls.heldObject: {
        const read = checkedAs((report) => decodeHeldObject(name, bytes, report));
        return read.ok ? accept({ kind: 'held', value: read.value }) : read;
      }
      case urls.syncMark:
        return accept({ kind: 'mark', value: peering.SyncMark.decode(bytes) });
      default:
        return reject([{ path: '', message: `${typeUrl} is not a resource of peering` }]);
    }
  } catch (error) {
    return reject([{ path: '', message: `unreadable: ${error instanceof Error ? error.message : String(error)}` }]);
  }
}

type Report = (path: string, message: string) => void;

function checked(make: () => PeerResource, check: (report: Report) => void): Checked<PeerResource> {
  const violations: Violation[] = [];
  check((path, message) => violations.push({ path, message }));
  return violations.length === 0 ? accept(make()) : reject(violations);
}

function checkedAs<T>(read: (report: Report) => T): Checked<T> {
  const violations: Violation[] = [];
  const value = read((path, message) => violations.push({ path, message }));
  return violations.length === 0 ? accept(value) : reject(violations);
}

function checkLabels(labels: Readonly<Record<string, string>>, report: Report): void {
  const entries = Object.entries(labels);
  if (entries.length > 128) report('labels', 'more than 128');
  if (entries.some(([key, value]) => key.length > longestText || value.length > longestText))
    report('labels', `longer than ${longestText}`);
}

function decodeService(name: string, m: peering.ExportedService): Checked<PeerResource> {
  const { namespace, labels, createdAtMs: createdAt } = m;
  const ports = m.ports.map((p) => ({ name: p.name, port: p.port, protocol: p.protocol as Protocol }));
  return checked(
    () => ({ kind: 'service', value: { namespace, name: m.name, ports, labels, createdAt } }),
    (report) => {
      if (!isDnsLabel(namespace)) report('namespace', 'must be a DNS label');
      if (!isDnsLabel(m.name)) report('name', 'must be a DNS label');
      if (name !== `${namespace}/${m.name}`) report('name', `does not match the resource's, ${name}`);
      if (ports.length > 256) report('ports', 'more than 256');
      for (const [i, port] of ports.entries()) {
        if (!isPort(port.port)) report(`ports[${i}].port`, 'must be 1-65535');
        if (!protocols.includes(port.protocol)) report(`ports[${i}].protocol`, `must be one of ${protocols.join(', ')}`);
        if (port.name === '' || port.name.length > longestText) report(`ports[${i}].name`, 'must not be empty or too long');
      }
      if (new Set(ports.map((p) => p.name)).size !== ports.length) report('ports', 'names must be unique');
      checkLabels(labels, report);
    },
  );
}

function decodeEndpoint(name: string, m: peering.ExportedEndpoint): Checked<PeerResource> {
  const value: EndpointRecord = {
    instance: m.instance,
    network: networkId(m.network),
    address: m.address,
    ports: m.ports,
    health: m.health as Health,
    weight: m.weight,
    locality: parseLocality(m.locality),
    labels: m.labels,
    identityNamespace: m.identityNamespace,
    serviceAccount: m.serviceAccount,
    tlsMode: m.tlsMode as TlsMode,
    runtime: m.runtime as Runtime,
    attested: m.attested,
    ...(m.tunnel === undefined ? {} : { tunnel: { gateways: m.tunnel.gateways, secretSha256: '' } }),
    ...(m.otherSources.length === 0 ? {} : { otherSources: m.otherSources.map(sourceId) }),
  };
  return checked(
    () => ({ kind: 'endpoint', service: `${m.namespace}/${m.service}`, source: m.source, value }),
    (report) => {
      if (name !== endpointName(m.namespace, m.service, m.source, m.instance))
        report('instance', `does not match the resource's name, ${name}`);
      if (!sourceForm.test(m.source)) report('source', 'must be letters, digits and ._/-');
      if (m.otherSources.length > 64 || !m.otherSources.every((each) => sourceForm.test(each)))
        report('otherSources', 'must be at most 64, of letters, digits and ._/-');
      if ((m.tunnel?.gateways.length ?? 0) > 256) report('tunnel.gateways', 'more than 256');
      if (m.instance === '' || m.instance.length > longestText) report('instance', 'must not be empty or too long');
      if (!isDnsLabel(m.network)) report('network', 'must be a DNS label');
      if (isIP(m.address) === 0) report('address', 'must be an IP address');
      if (!Object.values(m.ports).every(isPort)) report('ports', 'must be 1-65535');
      if (!healths.includes(m.health)) report('health', `must be one of ${healths.join(', ')}`);
      if (m.tlsMode !== 'mesh' && m.tlsMode !== 'none') report('tlsMode', 'must be mesh or none');
      if (m.tlsMode === 'mesh' && !isDnsLabel(m.identityNamespace)) report('identityNamespace', 'must be a DNS label');
      if (m.tlsMode === 'mesh' && !/^[A-Za-z0-9._-]{1,253}$/.test(m.serviceAccount)) report('serviceAccount', 'must be a name');
      if (m.locality.length > longestText || m.runtime.length > 64) report('locality', 'too long');
      checkLabels(m.labels, report);
    },
  );
}

function decodeGateway(name: string, value: peering.PeerGateway): Checked<PeerResource> {
  return checked(
    () => ({ kind: 'gateway', value }),
    (report) => {
      if (name !== `${value.network}/${value.instance}`) report('instance', `does not match the resource's name, ${name}`);
      if (!isDnsLabel(value.network)) report('network', 'must be a DNS label');
      if (!isPort(value.port)) report('port', 'must be 1-65535');
      if (value.addresses.length > 64) report('addresses', 'more than 64');
      if (value.addresses.some((a) => isIP(a) === 0)) report('addresses', 'must be IP addresses');
      const { tunnel } = value;
      if (tunnel === undefined) return;
      if (tunnel.secretSha256.length !== 32) report('tunnel.secretSha256', 'must be a SHA-256');
      if (parseSpiffeId(tunnel.identity) === undefined) report('tunnel.identity', 'must be a SPIFFE id');
      if (tunnel.gateways.length > 256) report('tunnel.gateways', 'more than 256');
    },
  );
}

function decodeTrust(name: string, value: peering.PeerTrust): Checked<PeerResource> {
  return checked(
    () => ({ kind: 'trust', value }),
    (report) => {
      if (name !== value.trustDomain) report('trustDomain', `does not match the resource's name, ${name}`);
      if (value.intermediates.length > 16 || value.roots.length > 16) report('intermediates', 'more than 16 certificates');
      if (value.statements.length > 64) report('statements', 'more than 64');
      if (value.intermediateRequest.length > 16_384) report('intermediateRequest', 'is longer than 16,384 bytes');
      if (value.jwtKeys.length > 64) report('jwtKeys', 'more than 64');
      if (value.deniedSerials.some((serial) => !/^[0-9a-f]{1,40}$/.test(serial))) report('deniedSerials', 'must be lower-case hex');
    },
  );
}

function decodeSource(name: string, value: peering.SourceState): Checked<PeerResource> {
  return checked(
    () => ({ kind: 'source', value }),
    (report) => {
      if (name !== value.source || !sourceForm.test(name))
        report('source', `must be letters, digits and ._/-, and the resource's name, ${name}`);
      if (!['live', 'stale', 'expired'].includes(value.state)) report('state', 'must be live, stale or expired');
      if (value.ageMs < 0) report('ageMs', 'must not be negative');
    },
  );
}
