import {
  type EndpointRecord,
  type Health,
  networkId,
  type Protocol,
  parseLocality,
  type ServicePort,
  type ServiceRecord,
  serviceKey,
} from '../../core/model/index.ts';
import { isExcluded, isMeshOwned, isServiceAccount, type Named, nameService, type RegistryRules } from '../../core/registry/index.ts';
import type { Violation } from '../../core/validate.ts';
import type { FileObject, ServiceEntry, WorkloadEntry } from './schema.ts';

export interface Translated {
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
  TCP: 'tcp',
  MONGO: 'tcp',
};

/** What of a label says about the endpoint itself. */
const healthLabel = 'isthmus.dev/health';
const tlsModeLabel = 'security.istio.io/tlsMode';

/** Services of all objects of a folder. Pure. `seenAt`: when an object without a creation time was first seen, Unix ms. */
export function translate(objects: readonly FileObject[], rules: RegistryRules, seenAt: (id: string) => number): Translated {
  const workloads = objects.filter((o): o is WorkloadEntry => o.kind === 'WorkloadEntry');
  const services = new Map<string, ServiceRecord>();
  const violations: Violation[] = [];
  for (const entry of objects) {
    if (entry.kind !== 'ServiceEntry' || isMeshOwned(entry.metadata.labels)) continue;
    const named = nameOf(entry, rules);
    if (isExcluded(named)) {
      if (named.violation !== undefined) violations.push(named.violation);
      continue;
    }
    const key = serviceKey(named.namespace, named.name);
    if (services.has(key)) {
      violations.push({ path: pathOf(entry), message: `another ServiceEntry is ${key} already: remove one, or name another host` });
      continue;
    }
    services.set(key, serviceOf(entry, named, workloads, rules, seenAt, violations));
  }
  return { services: [...services.values()], violations };
}

/** `NAME.NAMESPACE.SUFFIX` names both; of a plain host the namespace is the object's. */
function nameOf(entry: ServiceEntry, rules: RegistryRules): ReturnType<typeof nameService> {
  const [name = '', namespace, ...suffix] = (entry.spec.hosts[0] ?? '').split('.');
  const said = suffix.length > 0 ? namespace : entry.metadata.namespace;
  const meta = entry.metadata.labels ?? {};
  return nameService({ name, meta, tags: [], ...(said === undefined ? {} : { nativeNamespace: said }) }, rules);
}

function serviceOf(
  entry: ServiceEntry,
  named: Named,
  workloads: readonly WorkloadEntry[],
  rules: RegistryRules,
  seenAt: (id: string) => number,
  violations: Violation[],
): ServiceRecord {
  const ports = entry.spec.ports.map(
    (p): ServicePort => ({ name: p.name, port: p.number, protocol: protocols[p.protocol ?? ''] ?? rules.protocol }),
  );
  const inline = entry.spec.endpoints.map((spec, i) => ({ instance: `${entry.metadata.name}-${i}-${spec.address}`, spec }));
  const selector = entry.spec.workloadSelector?.labels;
  const selected = workloads
    .filter((w) => selector !== undefined && w.metadata.namespace === entry.metadata.namespace && matches(selector, w.spec.labels))
    .map((w) => ({ instance: w.metadata.name, spec: w.spec }));
  const { creationTimestamp, labels = {} } = entry.metadata;
  return {
    namespace: named.namespace,
    name: named.name,
    ports,
    endpoints: [...inline, ...selected].map(({ instance, spec }) => endpointOf(instance, spec, entry, named, rules, violations)),
    labels,
    createdAt: creationTimestamp === undefined ? seenAt(`${named.namespace}/${named.name}`) : Date.parse(creationTimestamp),
  };
}

function endpointOf(
  instance: string,
  spec: WorkloadEntry['spec'],
  entry: ServiceEntry,
  named: Named,
  rules: RegistryRules,
  violations: Violation[],
): EndpointRecord {
  const { serviceAccount } = spec;
  if (serviceAccount !== undefined && !isServiceAccount(serviceAccount)) {
    violations.push({ path: pathOf(entry), message: `service account "${serviceAccount.slice(0, 80)}" is none: the Registry's is used` });
  }
  return {
    instance,
    network: networkId(spec.network ?? rules.network),
    address: spec.address,
    ports: Object.fromEntries(entry.spec.ports.map((p) => [p.name, spec.ports[p.name] ?? p.targetPort ?? p.number])),
    health: healthOf(spec.labels[healthLabel]),
    weight: spec.weight ?? 1,
    locality: parseLocality(spec.locality ?? rules.locality),
    labels: Object.fromEntries(Object.entries(spec.labels).filter(([key]) => key !== healthLabel && key !== tlsModeLabel)),
    identityNamespace: named.namespace,
    serviceAccount: serviceAccount !== undefined && isServiceAccount(serviceAccount) ? serviceAccount : rules.serviceAccount,
    tlsMode: spec.labels[tlsModeLabel] === 'istio' ? 'mesh' : spec.labels[tlsModeLabel] === 'disabled' ? 'none' : rules.tlsMode,
    runtime: 'file',
    attested: false,
  };
}

/** A folder knows no checks: what it names is healthy unless it says otherwise. */
function healthOf(said: string | undefined): Health {
  return said === 'unhealthy' || said === 'draining' ? said : 'healthy';
}

function matches(selector: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}

function pathOf(entry: ServiceEntry): string {
  return `ServiceEntry["${entry.metadata.namespace ?? ''}/${entry.metadata.name}"]`;
}
