import { isIP } from 'node:net';
import type { ServiceEntrySpec, TrafficObject, TrafficObjectOf, WorkloadEntrySpec } from '../../core/config/index.ts';
import { type EndpointRecord, isDnsLabel, networkId, type Protocol, parseLocality, type ServiceRecord } from '../../core/model/index.ts';
import { isServiceAccount } from '../../core/registry/index.ts';
import type { Violation } from '../../core/validate.ts';

type ServiceEntry = TrafficObjectOf<'ServiceEntry', ServiceEntrySpec>;
type WorkloadEntry = TrafficObjectOf<'WorkloadEntry', WorkloadEntrySpec>;
export type Entry = ServiceEntry | WorkloadEntry;

/** What an entry leaves open. */
export interface EntryDefaults {
  /** Of the control plane. */
  readonly network: string;
  /** Addresses of a host name; undefined: not known (yet), and the endpoint is left out. */
  readonly addressesOf: (hostname: string) => readonly string[] | undefined;
  /** When an object without a creation time was first seen, Unix ms. */
  readonly seenAt: (id: string) => number;
}

export interface TranslatedEntries {
  /** By namespace and name. */
  readonly services: readonly ServiceRecord[];
  readonly violations: readonly Violation[];
}

const protocols: Readonly<Record<string, Protocol>> = {
  HTTP: 'http',
  HTTP2: 'http2',
  GRPC: 'grpc',
  'GRPC-WEB': 'http',
  HTTPS: 'tls',
  TLS: 'tls',
};

/** As Istio's agents label what speaks mTLS. */
const tlsModeLabel = 'security.istio.io/tlsMode';

export function isEntry(object: TrafficObject): object is Entry {
  return object.kind === 'ServiceEntry' || object.kind === 'WorkloadEntry';
}

/** Host names that endpoints stand behind, sorted: what has to be resolved before `translate`. */
export function hostnamesOf(entries: readonly Entry[]): readonly string[] {
  const names = new Set<string>();
  for (const entry of entries) {
    if (entry.kind !== 'ServiceEntry') continue;
    for (const { address } of placesOf(entry, entries)) if (isIP(address) === 0) names.add(address);
  }
  return [...names].sort();
}

/** A service for each ServiceEntry, named as the object is: its hosts are further names of it (control/routing). Pure. */
export function translate(entries: readonly Entry[], defaults: EntryDefaults): TranslatedEntries {
  const services: ServiceRecord[] = [];
  const violations: Violation[] = [];
  for (const entry of entries) {
    if (entry.kind !== 'ServiceEntry') continue;
    const path = `ServiceEntry["${entry.namespace}/${entry.name}"]`;
    if (!isDnsLabel(entry.name)) {
      violations.push({
        path,
        message: `is the name of a service here, and so has to be a DNS label: rename it, ${entry.name.replaceAll('.', '-')} perhaps`,
      });
      continue;
    }
    services.push({
      namespace: entry.namespace,
      name: entry.name,
      ports: entry.spec.ports.map((p) => ({ name: p.name, port: p.number, protocol: protocols[p.protocol] ?? 'tcp' })),
      endpoints: placesOf(entry, entries).flatMap((place) => endpointsOf(place, entry, defaults, violations, path)),
      labels: {},
      createdAt: entry.spec.createdAt || defaults.seenAt(`${entry.namespace}/${entry.name}`),
    });
  }
  const key = (s: ServiceRecord) => `${s.namespace}/${s.name}`;
  return { services: services.sort((a, b) => (key(a) < key(b) ? -1 : 1)), violations };
}

interface Place extends WorkloadEntrySpec {
  readonly instance: string;
}

/** Its own endpoints, those that its selector finds in its namespace, or, where it has none and DNS says where, its hosts. */
function placesOf(entry: ServiceEntry, all: readonly Entry[]): readonly Place[] {
  const { spec } = entry;
  const own = spec.endpoints.map((e, i) => ({ ...e, instance: `${entry.name}-${i}` }));
  const selector = Object.entries(spec.workloadSelector);
  const selected = all.flatMap((w): Place[] => {
    if (w.kind !== 'WorkloadEntry' || w.namespace !== entry.namespace || selector.length === 0) return [];
    return selector.every(([key, value]) => w.spec.labels[key] === value) ? [{ ...w.spec, instance: w.name }] : [];
  });
  if (own.length + selected.length > 0 || spec.resolution !== 'dns') return [...own, ...selected];
  const plain = { ports: {}, labels: {}, network: '', locality: '', weight: 1, serviceAccount: '' };
  return spec.hosts.filter((host) => !host.startsWith('*')).map((address) => ({ ...plain, address, instance: address }));
}

function endpointsOf(place: Place, entry: ServiceEntry, defaults: EntryDefaults, violations: Violation[], path: string): EndpointRecord[] {
  const { spec } = entry;
  const ip = isIP(place.address) !== 0;
  const addresses = ip ? [place.address] : (defaults.addressesOf(place.address) ?? []);
  const known = place.serviceAccount === '' || isServiceAccount(place.serviceAccount);
  if (!known) violations.push({ path, message: `service account "${place.serviceAccount.slice(0, 80)}" is none: default is used` });
  // Outside the mesh nobody has an SVID of ours.
  const mesh = spec.location === 'internal' && place.labels[tlsModeLabel] === 'istio';
  return addresses.map((address) => ({
    instance: ip ? place.instance : `${place.instance}-${address}`,
    network: networkId(place.network === '' ? defaults.network : place.network),
    address,
    ports: Object.fromEntries(spec.ports.map((p) => [p.name, place.ports[p.name] ?? p.targetPort ?? p.number])),
    health: 'healthy',
    weight: place.weight,
    locality: parseLocality(place.locality),
    labels: Object.fromEntries(Object.entries(place.labels).filter(([key]) => key !== tlsModeLabel)),
    identityNamespace: entry.namespace,
    serviceAccount: known && place.serviceAccount !== '' ? place.serviceAccount : 'default',
    tlsMode: mesh ? 'mesh' : 'none',
    runtime: 'file',
    attested: false,
  }));
}
