import { z } from 'zod';
import type { RouteParent } from '../../../../core/config/index.ts';
import type { DestinationRef } from '../../../../core/traffic/index.ts';
import { fields } from '../../../../core/yaml/index.ts';
import { across, listOf, present, type Report, type Written } from '../across.ts';
import { dnsLabel } from '../fields.ts';
import { portNumber } from '../istio/values.ts';
import { noted } from '../refused.ts';
import { gatewayApiGroup, groupName, mcsGroup, objectName, sectionName } from './values.ts';

/** Of what may be attached to, or led to: a kind with its group. A service of the mesh is the same by either of its kinds. */
const services: readonly (readonly [group: string, kind: string])[] = [
  ['', 'Service'],
  [mcsGroup, 'ServiceImport'],
];

const elsewhere: Readonly<Record<string, string>> = {
  ListenerSet: 'write the listeners into the Gateway',
  XListenerSet: 'write the listeners into the Gateway',
  XMesh: 'name the services',
  XBackend: 'write a ServiceEntry, and a Service of its name',
};

function checkKind(
  value: Written,
  known: readonly (readonly [string, string])[],
  byDefault: readonly [string, string],
  report: Report,
): void {
  const group = value['group'] ?? byDefault[0];
  const kind = value['kind'] ?? byDefault[1];
  if (typeof group !== 'string' || typeof kind !== 'string') return;
  if (known.some(([g, k]) => g === group && k === kind)) return;
  const sameKind = known.find(([, k]) => k === kind);
  if (sameKind !== undefined) {
    report(['group'], `must be ${JSON.stringify(sameKind[0])} for kind ${kind}`);
    return;
  }
  const instead = elsewhere[kind] === undefined ? '' : `: ${elsewhere[kind]}`;
  report(
    ['kind'],
    `${kind.slice(0, 63)} is not supported, and is never ignored${instead || `; known are ${known.map(([, k]) => k).join(', ')}`}`,
  );
}

const parents = [[gatewayApiGroup, 'Gateway'], ...services] as const;

const parentRef = across(
  fields({
    group: groupName.default(gatewayApiGroup),
    kind: noted(z.string(), 'Gateway; Service and ServiceImport: for its callers in the mesh').default('Gateway'),
    namespace: dnsLabel.optional(),
    name: objectName,
    sectionName: noted(sectionName, 'of a listener; of a Service write port').optional(),
    port: portNumber.optional(),
  }),
  (value, report) => {
    checkKind(value, parents, [gatewayApiGroup, 'Gateway'], report);
    if ((value['kind'] ?? 'Gateway') !== 'Gateway' && value['sectionName'] !== undefined)
      report(['sectionName'], 'names a listener of a Gateway: of a Service write port');
  },
);

/** Several references to one parent are to different parts of it. */
export function checkParents(value: Written, report: Report): void {
  const list = listOf(value['parentRefs']).map((each) => (typeof each === 'object' && each !== null ? (each as Written) : {}));
  const whole = (each: Written) => [each['group'] ?? gatewayApiGroup, each['kind'] ?? 'Gateway', each['namespace'], each['name']].join('/');
  const part = (each: Written) => JSON.stringify([each['sectionName'], each['port']]);
  const named = (each: Written) => present(each, ['sectionName', 'port']).join();
  list.forEach((each, i) => {
    const others = list.slice(0, i).filter((other) => whole(other) === whole(each) && each['name'] !== undefined);
    if (others.some((other) => part(other) === part(each))) report(['parentRefs', i], 'is there already: name different sections or ports');
    else if (others.some((other) => named(other) !== named(each) || named(each) === ''))
      report(['parentRefs', i], 'must name a section or a port, the same of them as the other to this parent');
  });
}

export const parentRefs = z.array(parentRef).max(32, { error: 'holds more than 32' }).default([]);

export function toParents(written: z.output<typeof parentRefs>, own: string): RouteParent[] {
  return written.map(({ kind, namespace = own, name, sectionName: section, port }): RouteParent => {
    const at = { namespace, name, ...(port === undefined ? {} : { port }) };
    if (kind !== 'Gateway') return { type: 'service', ...at };
    return { type: 'gateway', ...at, ...(section === undefined ? {} : { section }) };
  });
}

const backend = {
  group: groupName.default(''),
  kind: noted(z.string(), 'Service and ServiceImport').default('Service'),
  namespace: noted(dnsLabel, 'another than its own needs a ReferenceGrant there').optional(),
  name: objectName,
  port: portNumber.optional(),
};

function checkBackend(value: Written, report: Report): void {
  checkKind(value, services, ['', 'Service'], report);
  if (value['port'] === undefined) report(['port'], 'is required: which port of the service');
}

/** A service, without a weight. */
export const backendObject = across(fields(backend), checkBackend);

const weight = z.int().min(0).max(1_000_000).default(1);

export const l4Backend = across(fields({ ...backend, weight }), checkBackend);

export function backendWith<S extends z.ZodRawShape>(shape: S) {
  return across(fields({ ...backend, weight, ...shape }), checkBackend);
}

interface WrittenBackend {
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly port?: number | undefined;
}

export function toBackend({ namespace, name, port }: WrittenBackend, own: string): DestinationRef {
  return { host: `${namespace ?? own}/${name}`, service: true, ...(port === undefined ? {} : { port }) };
}
