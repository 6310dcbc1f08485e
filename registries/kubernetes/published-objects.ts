import { isIP } from 'node:net';
import { deepEqual, ownerKey, type PublishedService, publishedName } from '../../core/registry/index.ts';
import { type Fields, fieldsIn, fieldsOf, listIn, textIn, textsIn } from './fields.ts';
import { type ObjectName, serviceNameLabel } from './objects.ts';
import { appProtocolOf } from './protocol.ts';

export type PublishedKind = 'Service' | 'EndpointSlice';

/** An object as Isthmus wants it: what is not named here belongs to the API server or to others. */
export interface WantedObject extends ObjectName {
  readonly kind: PublishedKind;
  readonly labels: Readonly<Record<string, string>>;
  /** Top-level fields beside `metadata`, each as it must be. */
  readonly fields: Fields;
}

/** An object as the API server has it. */
export interface LiveObject extends ObjectName {
  readonly kind: PublishedKind;
  readonly labels: Readonly<Record<string, string>>;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly raw: Fields;
}

/** Who else makes EndpointSlices for a Service: the label keeps the cluster's own controllers away from ours. */
export const sliceManagerLabel = 'endpointslice.kubernetes.io/managed-by';
const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/**
 * What one imported service is in Kubernetes: a Service without a selector, whose ports target the gateways' ports, and one EndpointSlice
 * per address family that its gateways have. The Service comes first: whoever has it has the name. Pure.
 */
export function buildObjects(service: PublishedService, owner: string): readonly [WantedObject, ...WantedObject[]] {
  const { namespace } = service;
  const name = publishedName(service);
  const labels = { [ownerKey]: owner, 'app.kubernetes.io/managed-by': 'isthmus' };
  const ports = portsOf(service);
  const servicePorts = ports.map(({ name: portName, port, target, appProtocol }) => ({
    name: portName,
    port,
    protocol: 'TCP',
    targetPort: target,
    appProtocol,
  }));
  const slicePorts = ports.map(({ name: portName, target, appProtocol }) => ({
    name: portName,
    port: target,
    protocol: 'TCP',
    appProtocol,
  }));
  const slices = ([4, 6] as const).flatMap((version): WantedObject[] => {
    const addresses = [...new Set(service.gatewayAddresses)].filter((a) => isIP(a) === version).sort();
    if (addresses.length === 0) return [];
    const endpoints = addresses.map((address) => ({ addresses: [address], conditions: { ready: true } }));
    return [
      {
        kind: 'EndpointSlice',
        namespace,
        name: `${name}-ipv${version}`,
        labels: { ...labels, [serviceNameLabel]: name, [sliceManagerLabel]: 'isthmus.dev' },
        fields: { addressType: `IPv${version}`, ports: slicePorts, endpoints },
      },
    ];
  });
  return [{ kind: 'Service', namespace, name, labels, fields: { spec: { ports: servicePorts } } }, ...slices];
}

/** Kubernetes takes DNS labels only as names of ports, each once; a port whose mesh name is none is called by its number. */
function portsOf(service: PublishedService): { name: string; port: number; target: number; appProtocol: string }[] {
  const taken = new Set<string>();
  return [...service.ports]
    .sort((a, b) => a.port - b.port)
    .map((port) => {
      const name = dnsLabel.test(port.name) && !taken.has(port.name) ? port.name : `port-${port.port}`;
      taken.add(name);
      return { name, port: port.port, target: port.gatewayPort, appProtocol: appProtocolOf(port.protocol) };
    });
}

/** Undefined for what is no object with a name. */
export function projectLive(kind: PublishedKind, raw: unknown): LiveObject | undefined {
  const fields = fieldsOf(raw);
  const metadata = fieldsIn(fields, 'metadata');
  const [namespace, name] = [textIn(metadata, 'namespace'), textIn(metadata, 'name')];
  if (namespace === '' || name === '') return undefined;
  const [uid, resourceVersion] = [textIn(metadata, 'uid'), textIn(metadata, 'resourceVersion')];
  return { kind, namespace, name, labels: textsIn(metadata, 'labels'), uid, resourceVersion, raw: fields };
}

/** Whether nothing has to be written. What the API server filled in by itself does not count; a selector does, as it takes the traffic away. */
export function isWritten(wanted: WantedObject, live: LiveObject): boolean {
  if (!Object.entries(wanted.labels).every(([key, value]) => live.labels[key] === value)) return false;
  if (wanted.kind === 'EndpointSlice') {
    return (['addressType', 'ports', 'endpoints'] as const).every((field) => holds(live.raw[field], wanted.fields[field]));
  }
  const spec = fieldsIn(live.raw, 'spec');
  return Object.keys(fieldsIn(spec, 'selector')).length === 0 && holds(spec['ports'], listIn(fieldsIn(wanted.fields, 'spec'), 'ports'));
}

/** `live` says everything that `wanted` says, and has no more entries in any list. */
function holds(live: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) {
    return Array.isArray(live) && live.length === wanted.length && wanted.every((item, i) => holds(live[i], item));
  }
  if (typeof wanted !== 'object' || wanted === null) return deepEqual(live, wanted);
  const fields = fieldsOf(live);
  return Object.entries(wanted).every(([key, value]) => holds(fields[key], value));
}

/** The body that creates `wanted`, or makes `live` it; what others added to `live` stays, such as its cluster IP and their annotations. */
export function bodyOf(wanted: WantedObject, live: LiveObject | undefined): Fields {
  const { kind, namespace, name, labels } = wanted;
  const apiVersion = kind === 'Service' ? 'v1' : 'discovery.k8s.io/v1';
  const metadata = { ...fieldsIn(live?.raw ?? {}, 'metadata'), name, namespace, labels: { ...live?.labels, ...labels } };
  if (kind === 'EndpointSlice') return { apiVersion, kind, metadata, ...wanted.fields };
  const { selector: _, ...spec } = fieldsIn(live?.raw ?? {}, 'spec');
  return { apiVersion, kind, metadata, spec: { type: 'ClusterIP', ...spec, ...fieldsIn(wanted.fields, 'spec') } };
}
