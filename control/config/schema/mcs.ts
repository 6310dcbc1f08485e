import { z } from 'zod';
import type { ServiceExportSpec, ServiceImportSpec } from '../../../core/config/index.ts';
import { fields, oneOf } from '../../../core/yaml/index.ts';
import { across } from './across.ts';
import { dnsLabel } from './fields.ts';
import { reportRepeats } from './gateway-api/values.ts';
import { portNumber } from './istio/values.ts';
import { noted, refused } from './refused.ts';

const ofService = 'a service crosses with the labels that its endpoints have';

/** The MCS API's ServiceExport: its name is all that it says. */
export const serviceExportSchema = fields({
  exportedLabels: refused(ofService),
  exportedAnnotations: refused('annotations stay where they are'),
});

export function toServiceExport(): ServiceExportSpec {
  return {};
}

const port = fields({
  name: dnsLabel.optional(),
  port: portNumber,
  protocol: noted(z.string(), 'TCP')
    .refine((text) => text === 'TCP', { error: 'must be TCP: proxies here carry nothing else' })
    .default('TCP'),
  appProtocol: noted(z.string(), 'written by others, and not read: the protocol is that of the exported service').optional(),
});

/** The MCS API's ServiceImport. */
export const serviceImportSchema = across(
  fields({
    type: oneOf('ClusterSetIP', 'Headless'),
    ports: z.array(port),
    ips: refused('callers reach an imported service by its mesh host'),
    ipFamilies: refused('callers reach an imported service by its mesh host'),
    sessionAffinity: noted(z.string(), 'None; for sessions write loadBalancer.consistentHash of a DestinationRule')
      .refine((text) => text === 'None', { error: 'must be None: write a DestinationRule with loadBalancer.consistentHash' })
      .optional(),
    sessionAffinityConfig: refused('write a DestinationRule with loadBalancer.consistentHash'),
    internalTrafficPolicy: refused('write a DestinationRule with loadBalancer.localityLbSetting'),
    trafficDistribution: refused('write a DestinationRule with loadBalancer.localityLbSetting'),
  }),
  (value, report) => reportRepeats(value['ports'], (each) => each['port'], report, ['ports'], 'port'),
);

export function toServiceImport(spec: z.output<typeof serviceImportSchema>): ServiceImportSpec {
  return { type: spec.type, ports: spec.ports.map(({ name = '', port: number, protocol }) => ({ name, port: number, protocol })) };
}
