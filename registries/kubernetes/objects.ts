import { isMeshOwned } from '../../core/registry/index.ts';
import { type Fields, fieldsIn, fieldsOf, flagIn, listIn, portIn, textIn, textsIn, timeIn } from './fields.ts';

/** The parts of API objects that matter here; the rest is dropped on arrival, as a cluster's pods are large. */

export interface ObjectName {
  /** Empty for what is cluster-wide. */
  readonly namespace: string;
  readonly name: string;
}

/** core/v1 Service. */
export interface ServiceObject extends ObjectName {
  readonly labels: Readonly<Record<string, string>>;
  /** Unix ms. */
  readonly createdAt: number;
  readonly type: string;
  /** Primary first; empty when the server does not say. */
  readonly ipFamilies: readonly string[];
  readonly ports: readonly ServicePortObject[];
}

export interface ServicePortObject {
  /** Empty where the only port has no name. */
  readonly name: string;
  readonly port: number;
  /** TCP, UDP or SCTP. */
  readonly protocol: string;
  readonly appProtocol: string;
}

/** discovery.k8s.io/v1 EndpointSlice. */
export interface SliceObject extends ObjectName {
  /** The service it belongs to. */
  readonly service: string;
  /** IPv4, IPv6 or FQDN. */
  readonly addressType: string;
  readonly ports: readonly { readonly name: string; readonly port: number; readonly protocol: string }[];
  readonly endpoints: readonly SliceEndpoint[];
}

export interface SliceEndpoint {
  readonly address: string;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  /** Name in the slice's namespace, when its target is a Pod. */
  readonly pod?: string;
  readonly node: string;
  readonly zone: string;
}

/** core/v1 Pod: whose the endpoint is. */
export interface PodObject extends ObjectName {
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
}

/** core/v1 Node: where the endpoint is. */
export interface NodeObject extends ObjectName {
  readonly region: string;
  readonly zone: string;
  readonly subzone: string;
}

export const serviceNameLabel = 'kubernetes.io/service-name';
/** On what Isthmus makes while a service's own name is switched; the value is NAMESPACE.NAME in the mesh. */
export const nativeNameLabel = 'isthmus.dev/native-name';
/** On the Service that selects what was taken out of another one, and so on its slices; the value is that one's name. */
export const standsForLabel = 'isthmus.dev/stands-for';

/** Each projection returns undefined for what is not an object of its kind. */
export function projectService(raw: unknown): ServiceObject | undefined {
  const fields = fieldsOf(raw);
  const named = nameIn(fields, true);
  if (named === undefined) return undefined;
  const spec = fieldsIn(fields, 'spec');
  const ports = listIn(spec, 'ports').flatMap((item) => {
    const port = fieldsOf(item);
    const number = portIn(port, 'port');
    if (number === undefined) return [];
    const protocol = textIn(port, 'protocol') || 'TCP';
    return [{ name: textIn(port, 'name'), port: number, protocol, appProtocol: textIn(port, 'appProtocol') }];
  });
  const metadata = fieldsIn(fields, 'metadata');
  return {
    ...named,
    labels: textsIn(metadata, 'labels'),
    createdAt: timeIn(metadata, 'creationTimestamp'),
    type: textIn(spec, 'type') || 'ClusterIP',
    ipFamilies: listIn(spec, 'ipFamilies').filter((f): f is string => typeof f === 'string'),
    ports,
  };
}

/** Whose endpoints a slice holds: its Service's, or those that were taken out of one by a migration. Undefined: our own gateways under a name. */
function ownerOfSlice(labels: Readonly<Record<string, string>>): string | undefined {
  if (!isMeshOwned(labels) || labels[nativeNameLabel] === undefined) return labels[serviceNameLabel];
  return labels[standsForLabel];
}

export function projectSlice(raw: unknown): SliceObject | undefined {
  const fields = fieldsOf(raw);
  const named = nameIn(fields, true);
  const service = ownerOfSlice(textsIn(fieldsIn(fields, 'metadata'), 'labels'));
  if (named === undefined || service === undefined || service === '') return undefined;
  const ports = listIn(fields, 'ports').flatMap((item) => {
    const port = fieldsOf(item);
    const number = portIn(port, 'port');
    return number === undefined ? [] : [{ name: textIn(port, 'name'), port: number, protocol: textIn(port, 'protocol') || 'TCP' }];
  });
  const endpoints = listIn(fields, 'endpoints').flatMap((item) => projectEndpoint(fieldsOf(item)) ?? []);
  return { ...named, service, addressType: textIn(fields, 'addressType'), ports, endpoints };
}

/** Absent conditions mean what discovery.k8s.io/v1 says: ready true, serving as ready, terminating false. Only the first address counts. */
function projectEndpoint(endpoint: Fields): SliceEndpoint | undefined {
  const [address] = listIn(endpoint, 'addresses');
  if (typeof address !== 'string') return undefined;
  const conditions = fieldsIn(endpoint, 'conditions');
  const ready = flagIn(conditions, 'ready') ?? true;
  const target = fieldsIn(endpoint, 'targetRef');
  return {
    address,
    ready,
    serving: flagIn(conditions, 'serving') ?? ready,
    terminating: flagIn(conditions, 'terminating') ?? false,
    ...(textIn(target, 'kind') === 'Pod' && textIn(target, 'name') !== '' ? { pod: textIn(target, 'name') } : {}),
    node: textIn(endpoint, 'nodeName'),
    zone: textIn(endpoint, 'zone'),
  };
}

export function projectPod(raw: unknown): PodObject | undefined {
  const fields = fieldsOf(raw);
  const named = nameIn(fields, true);
  if (named === undefined) return undefined;
  const labels = textsIn(fieldsIn(fields, 'metadata'), 'labels');
  return { ...named, labels, serviceAccount: textIn(fieldsIn(fields, 'spec'), 'serviceAccountName') || 'default' };
}

export function projectNode(raw: unknown): NodeObject | undefined {
  const fields = fieldsOf(raw);
  const named = nameIn(fields, false);
  if (named === undefined) return undefined;
  const labels = textsIn(fieldsIn(fields, 'metadata'), 'labels');
  return {
    ...named,
    region: labels['topology.kubernetes.io/region'] ?? '',
    zone: labels['topology.kubernetes.io/zone'] ?? '',
    subzone: labels['topology.istio.io/subzone'] ?? '',
  };
}

export function objectKey(object: ObjectName): string {
  return `${object.namespace}/${object.name}`;
}

function nameIn(fields: Fields, namespaced: boolean): ObjectName | undefined {
  const metadata = fieldsIn(fields, 'metadata');
  const name = textIn(metadata, 'name');
  const namespace = namespaced ? textIn(metadata, 'namespace') : '';
  return name === '' || (namespaced && namespace === '') ? undefined : { namespace, name };
}
