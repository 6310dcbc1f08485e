import { createHash } from 'node:crypto';
import { formatLocality } from '../../core/model/index.ts';
import { type EncodedResource, peering } from '../../core/xds/index.ts';
import type { CatalogEndpoint, GatewayRecord, MergedService, SourceReport } from '../catalog/index.ts';
import type { ExportInputs } from './contract.ts';

function encoded(name: string, value: Uint8Array): EncodedResource {
  return { name, version: createHash('sha256').update(value).digest('base64url').slice(0, 16), value };
}

const sorted = <T>(record: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));

export function encodeService(service: Pick<MergedService, 'namespace' | 'name' | 'ports' | 'labels' | 'createdAt'>): EncodedResource {
  const { namespace, name } = service;
  const ports = service.ports.map((p) => ({ name: p.name, port: p.port, protocol: p.protocol }));
  const message = peering.ExportedService.create({
    namespace,
    name,
    ports,
    labels: sorted(service.labels),
    createdAtMs: service.createdAt,
  });
  return encoded(`${namespace}/${name}`, peering.ExportedService.encode(message).finish());
}

export function encodeEndpoint(namespace: string, service: string, endpoint: CatalogEndpoint): EncodedResource {
  const message = peering.ExportedEndpoint.create({
    namespace,
    service,
    source: endpoint.source,
    instance: endpoint.instance,
    network: endpoint.network,
    address: endpoint.address,
    ports: sorted(endpoint.ports),
    health: endpoint.health,
    weight: Math.round(endpoint.weight),
    locality: formatLocality(endpoint.locality),
    labels: sorted(endpoint.labels),
    serviceAccount: endpoint.serviceAccount,
    identityNamespace: endpoint.identityNamespace,
    tlsMode: endpoint.tlsMode,
    runtime: endpoint.runtime,
    attested: endpoint.attested,
    otherSources: otherSources(endpoint),
    ...(endpoint.tunnel === undefined ? {} : { tunnel: { gateways: [...endpoint.tunnel.gateways] } }),
  });
  return encoded(endpointName(namespace, service, endpoint.source, endpoint.instance), peering.ExportedEndpoint.encode(message).finish());
}

/** Whom a subset may be of, though another's record of the place won. */
function otherSources({ source, provenance }: CatalogEndpoint): string[] {
  return [...new Set(provenance.map((each) => each.source as string))].filter((each) => each !== source).sort();
}

export function endpointName(namespace: string, service: string, source: string, instance: string): string {
  return `${namespace}/${service}/${source}/${instance}`;
}

export function encodeGateway(gateway: GatewayRecord): EncodedResource {
  const { network, instance, addresses, port, healthy, draining, holdsTunnels, engine, tunnel } = gateway;
  const message = peering.PeerGateway.create({
    // What its own cluster dials is nothing to peers.
    ...{ network, instance, addresses: tunnel === undefined ? [...addresses] : [], port, healthy, draining },
    ...(holdsTunnels === true ? { holdsTunnels } : {}),
    ...(engine === undefined ? {} : { engine }),
    ...(tunnel === undefined
      ? {}
      : { tunnel: { ...tunnel, gateways: [...tunnel.gateways], secretSha256: Buffer.from(tunnel.secretSha256, 'hex') } }),
  });
  return encoded(`${network}/${instance}`, peering.PeerGateway.encode(message).finish());
}

/** As `peer` is told it. */
export function encodeTrust(trust: ExportInputs['trust'], peer: string): EncodedResource {
  const { rotation } = trust;
  const bytes = (list: readonly Uint8Array[]) => list.map((der) => Buffer.from(der));
  const message = peering.PeerTrust.create({
    trustDomain: trust.trustDomain,
    roots: bytes(trust.roots),
    intermediates: bytes(trust.intermediates),
    statements: [...(rotation?.statements ?? [])],
    intermediateRequest: Buffer.from(rotation?.intermediateRequest ?? []),
    signedIntermediate: Buffer.from(rotation?.signed.get(peer) ?? []),
    ...(rotation === undefined ? {} : { report: rotation.report }),
    deniedSerials: [...(trust.denied ?? [])],
    jwtKeys: (trust.jwtKeys ?? []).map(({ keyId, publicKey, notAfterMs }) => ({ keyId, publicKey: Buffer.from(publicKey), notAfterMs })),
  });
  return encoded(trust.trustDomain, peering.PeerTrust.encode(message).finish());
}

/** The age is that at the change of the state: the receiver counts on from there, so it does not make a version of its own. */
export function encodeSource(report: SourceReport): EncodedResource {
  const state = report.state === 'live' && !report.restored ? 'live' : report.state === 'expired' ? 'expired' : 'stale';
  const runtime = report.runtime ?? '';
  const ageMs = state === 'live' ? 0 : Math.round(report.ageMs ?? 0);
  const value = peering.SourceState.encode(peering.SourceState.create({ source: report.source, state, ageMs, runtime })).finish();
  return { name: report.source, version: `${state}.${report.epoch}.${runtime}`, value };
}
