import { isIP } from 'node:net';
import { z } from 'zod';
import type { ServiceEntrySpec } from '../../../../core/config/index.ts';
import { parseWorkloadId } from '../../../../core/model/index.ts';
import { fields, oneOf } from '../../../../core/yaml/index.ts';
import type { SpecContext } from '../../kinds/row.ts';
import { across, listOf, present, type Report, type Written } from '../across.ts';
import { noted } from '../refused.ts';
import { protocol } from './protocol.ts';
import { host, labels, portNumber, visibility } from './values.ts';
import { portName, toWorkloadEntry, workloadEntrySchema } from './workload-entry.ts';

const address = z.string().refine((text) => isIP(text.split('/')[0] ?? '') !== 0 && /^[^/]+(\/[0-9]{1,3})?$/.test(text), {
  error: 'must be an IP address or a CIDR such as 240.0.0.0/24',
});

const port = fields({
  number: portNumber,
  name: portName,
  protocol: protocol.default('TCP'),
  targetPort: portNumber.optional(),
});

const resolutions: Readonly<Record<string, ServiceEntrySpec['resolution']>> = { NONE: 'none', STATIC: 'static', DNS: 'dns' };

const resolution = z.string().transform((text, ctx) => {
  const known = resolutions[text];
  if (known !== undefined) return known;
  const alike = text === 'DNS_ROUND_ROBIN' || text === 'DYNAMIC_DNS';
  const message = alike
    ? `${text} is not supported: write DNS, which takes every address that the name has`
    : `${JSON.stringify(text.slice(0, 40))} is none of NONE, STATIC, DNS`;
  ctx.addIssue({ code: 'custom', message });
  return z.NEVER;
});

/** Istio's ServiceEntry. */
export const serviceEntrySchema = across(
  fields({
    hosts: z.array(host).min(1, { error: 'must name at least one host' }),
    addresses: z
      .array(noted(address, 'taken, with a warning: agents capture no traffic, so callers reach the service by its mesh name'))
      .default([]),
    ports: z.array(port).default([]),
    location: oneOf('MESH_EXTERNAL', 'MESH_INTERNAL').default('MESH_EXTERNAL'),
    resolution: noted(resolution, 'DNS_ROUND_ROBIN and DYNAMIC_DNS are refused: write DNS').default('none'),
    endpoints: z.array(workloadEntrySchema).default([]),
    workloadSelector: fields({ labels: labels.default({}) }).optional(),
    exportTo: z
      .array(noted(visibility, '* alone: who may call a service an AuthorizationPolicy says, and who knows of it a Sidecar'))
      .default([]),
    subjectAltNames: z
      .array(noted(z.string().min(1), 'SPIFFE ids: mTLS; others: with tls of a DestinationRule that names none'))
      .default([]),
  }),
  (value, report) => {
    checkHosts(value, report);
    checkPorts(value, report);
    checkEndpoints(value, report);
    checkNames(value, report);
    listOf(value['exportTo']).forEach((each, i) => {
      if (each !== '*') report(['exportTo', i], 'must be *: what a ServiceEntry names is a service that every namespace knows');
    });
  },
);

/** As written, or as the field's own schema has read it. */
function isDns({ resolution: said }: Written): boolean {
  return said === 'dns' || said === 'DNS';
}

function checkHosts(value: Written, report: Report): void {
  listOf(value['hosts']).forEach((name, i) => {
    if (name === '*') report(['hosts', i], 'must not be * alone: name the hosts, or a domain such as *.example.com');
    else if (String(name).startsWith('*.') && isDns(value) && listOf(value['endpoints']).length === 0) {
      report(['hosts', i], 'cannot be resolved: of a wildcard name the endpoints, or write resolution NONE');
    }
  });
  listOf(value['addresses']).forEach((each, i) => {
    if (String(each).includes('/') && isDns(value)) {
      report(['addresses', i], 'must be one address: ranges go with resolution NONE and STATIC');
    }
  });
}

function checkPorts(value: Written, report: Report): void {
  const ports = listOf(value['ports']).map((each) => (each ?? {}) as Written);
  for (const field of ['number', 'name'] as const) {
    ports.forEach((each, i) => {
      const first = ports.findIndex((other) => other[field] === each[field]);
      if (first < i && each[field] !== undefined) report(['ports', i, field], `is there already, in ports[${first}]`);
    });
  }
  // What is no text has been refused as that.
  const names = ports.map((each) => each['name']).filter((name) => typeof name === 'string');
  listOf(value['endpoints']).forEach((endpoint, i) => {
    for (const name of Object.keys((endpoint as { ports?: object } | null)?.ports ?? {})) {
      if (!names.includes(name))
        report(['endpoints', i, 'ports', name], `is no port of this entry: ${names.join(', ') || 'there are none'}`);
    }
  });
}

function checkEndpoints(value: Written, report: Report): void {
  const endpoints = listOf(value['endpoints']);
  const { resolution: said = 'none' } = value;
  const there = present(value, ['workloadSelector', 'endpoints']).filter((field) => field !== 'endpoints' || endpoints.length > 0);
  if (there.length > 1) report(['workloadSelector'], 'must not stand beside endpoints: they are given, or selected');
  const none = said === 'none' || said === 'NONE';
  if (none && endpoints.length > 0) report(['endpoints'], 'mean nothing with resolution NONE: write STATIC or DNS');
  const fixed = said === 'static' || said === 'STATIC';
  if (fixed && there.length === 0) report(['endpoints'], 'are required with resolution STATIC, or a workloadSelector');
  endpoints.forEach((endpoint, i) => {
    const at = (endpoint as Written | null)?.['address'];
    if (fixed && typeof at === 'string' && isIP(at) === 0)
      report(['endpoints', i, 'address'], 'must be an IP address with resolution STATIC; for a name write DNS');
  });
}

/** Who is expected by a SPIFFE id is verified by the bundle of its trust domain, and of that one alone. */
function checkNames(value: Written, report: Report): void {
  const names = listOf(value['subjectAltNames']).map(String);
  const isUri = (name: string) => name.startsWith('spiffe://');
  if (!names.some(isUri)) return;
  const domains = new Set<string>();
  names.forEach((name, i) => {
    const id = parseWorkloadId(name);
    if (id !== undefined) domains.add(id.trustDomain);
    else if (isUri(name)) report(['subjectAltNames', i], 'must be spiffe://TRUST_DOMAIN/PATH, in full: patterns match nobody');
    else report(['subjectAltNames', i], 'must not stand beside SPIFFE ids: a server is known by its id, or by other names');
  });
  if (domains.size > 1)
    report(['subjectAltNames'], `must be of one trust domain, not of ${[...domains].join(' and ')}: make an entry for each`);
}

export function toServiceEntry(spec: z.output<typeof serviceEntrySchema>, { createdAt }: SpecContext): ServiceEntrySpec {
  return {
    hosts: spec.hosts,
    addresses: spec.addresses,
    ports: spec.ports.map(({ number, name, protocol: said, targetPort }) => ({
      number,
      name,
      protocol: said,
      ...(targetPort === undefined ? {} : { targetPort }),
    })),
    location: spec.location === 'MESH_INTERNAL' ? 'internal' : 'external',
    resolution: spec.resolution,
    endpoints: spec.endpoints.map(toWorkloadEntry),
    workloadSelector: spec.workloadSelector?.labels ?? {},
    exportTo: spec.exportTo,
    subjectAltNames: spec.subjectAltNames,
    createdAt,
  };
}
