import { isIP } from 'node:net';
import { deepEqual, ownerKey, type SwitchedService } from '../../core/registry/index.ts';
import { type Fields, fieldsIn, fieldsOf, listIn, portIn, textIn, textsIn } from './fields.ts';
import { nativeNameLabel, serviceNameLabel, standsForLabel } from './objects.ts';
import { appProtocolOf } from './protocol.ts';
import { type LiveObject, sliceManagerLabel, type WantedObject } from './published-objects.ts';

/** Who took a Service over, and what its selector was: enough for any replica to put it back. */
const takenByAnnotation = 'isthmus.dev/taken-over-by';
const selectorAnnotation = 'isthmus.dev/taken-over-selector';
/** No pod has it. A Service without any selector would keep the endpoints that it has. */
const nobody = { 'isthmus.dev/taken-over': 'true' };

interface Name {
  readonly namespace: string;
  readonly name: string;
}

/** What an owner's objects of one service carry. */
function nativeLabels(service: Name, owner: string): Readonly<Record<string, string>> {
  return {
    [ownerKey]: owner,
    [nativeNameLabel]: `${service.namespace}.${service.name}`,
    'app.kubernetes.io/managed-by': 'isthmus',
  };
}

/** The gateways as slices of the native Service, one for each address family; ports that the mesh service does not have are left out. Pure. */
export function gatewaySlices(native: LiveObject, service: SwitchedService, owner: string): readonly WantedObject[] {
  const { namespace, name } = native;
  const ports = portsOf(native, service).flatMap(({ said, port }) => {
    if (port === undefined) return [];
    return [{ name: textIn(said, 'name'), port: port.gatewayPort, protocol: 'TCP', appProtocol: appProtocolOf(port.protocol) }];
  });
  if (ports.length === 0) return [];
  return ([4, 6] as const).flatMap((version): WantedObject[] => {
    const addresses = [...new Set(service.gatewayAddresses)].filter((address) => isIP(address) === version).sort();
    if (addresses.length === 0) return [];
    const endpoints = addresses.map((address) => ({ addresses: [address], conditions: { ready: true } }));
    const labels = { ...nativeLabels(service, owner), [serviceNameLabel]: name, [sliceManagerLabel]: 'isthmus.dev' };
    const fields = { addressType: `IPv${version}`, ports, endpoints };
    return [{ kind: 'EndpointSlice', namespace, name: `${name}-isthmus-ipv${version}`, labels, fields }];
  });
}

/** Where nobody would answer if the gateways alone did: `PORT/PROTOCOL`. Pure. */
export function uncoveredPorts(native: LiveObject, service: SwitchedService): readonly string[] {
  return portsOf(native, service).flatMap(({ said, protocol, port }) =>
    port === undefined ? [`${portIn(said, 'port')}/${protocol}`] : [],
  );
}

/** Of a native Service, with those of the mesh service that gateways have. */
function portsOf(native: LiveObject, service: SwitchedService) {
  return listIn(fieldsIn(native.raw, 'spec'), 'ports').map((item) => {
    const said = fieldsOf(item);
    const protocol = textIn(said, 'protocol') || 'TCP';
    const port = protocol === 'TCP' ? service.ports.find((each) => each.port === portIn(said, 'port')) : undefined;
    return { said, protocol, port };
  });
}

/**
 * The Service that selects what was taken out of the native one, so that the mesh still knows its endpoints: headless, with the ports and the
 * selector as they were. Pure.
 */
export function standIn(native: LiveObject, service: Name, owner: string): Fields {
  const { namespace, name } = native;
  const spec = fieldsIn(native.raw, 'spec');
  const ports = listIn(spec, 'ports').map((item) => {
    const { nodePort: _, ...port } = fieldsOf(item);
    return port;
  });
  const labels = { ...nativeLabels(service, owner), [standsForLabel]: name };
  const more = spec['publishNotReadyAddresses'] === true ? { publishNotReadyAddresses: true } : {};
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name: standInName(name), labels },
    spec: { clusterIP: 'None', selector: selectorOf(native), ports, ...more },
  };
}

export function standInName(name: string): string {
  return `${name}-isthmus-original`;
}

/** As it would be without us. */
export function selectorOf(native: LiveObject): Readonly<Record<string, string>> {
  const now = textsIn(fieldsIn(native.raw, 'spec'), 'selector');
  return isOurs(now) ? textsIn({ kept: parse(textIn(annotationsOf(native), selectorAnnotation)) }, 'kept') : now;
}

/** `taken`: nobody answers but the gateways. `changed`: it was, and somebody gave it another selector since. */
export function takeoverOf(native: LiveObject, owner: string): 'no' | 'taken' | 'changed' | 'by-others' {
  const by = textIn(annotationsOf(native), takenByAnnotation);
  if (by === '') return 'no';
  if (by !== owner) return 'by-others';
  return isOurs(textsIn(fieldsIn(native.raw, 'spec'), 'selector')) ? 'taken' : 'changed';
}

/** The body that takes it over. It holds the version that was read, so that a change meanwhile is refused and not lost. */
export function takenOver(native: LiveObject, owner: string): Fields {
  const selector = JSON.stringify(selectorOf(native));
  return rewritten(native, { ...annotationsOf(native), [takenByAnnotation]: owner, [selectorAnnotation]: selector }, nobody);
}

/** The body that gives it back, with the selector of whoever set one since. */
export function givenBack(native: LiveObject): Fields {
  const { [takenByAnnotation]: _, [selectorAnnotation]: __, ...annotations } = annotationsOf(native);
  return rewritten(native, annotations, selectorOf(native));
}

function rewritten(native: LiveObject, annotations: Fields, selector: Readonly<Record<string, string>>): Fields {
  const metadata = { ...fieldsIn(native.raw, 'metadata'), annotations };
  return { ...native.raw, apiVersion: 'v1', kind: 'Service', metadata, spec: { ...fieldsIn(native.raw, 'spec'), selector } };
}

function annotationsOf(native: LiveObject): Fields {
  return fieldsIn(fieldsIn(native.raw, 'metadata'), 'annotations');
}

function isOurs(selector: Readonly<Record<string, string>>): boolean {
  return deepEqual(selector, nobody);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
