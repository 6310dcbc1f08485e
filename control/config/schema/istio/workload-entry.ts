import { isIP } from 'node:net';
import { z } from 'zod';
import type { WorkloadEntrySpec } from '../../../../core/config/index.ts';
import { fields } from '../../../../core/yaml/index.ts';
import { across } from '../across.ts';
import { noted } from '../refused.ts';
import { hostFault, labels, portNumber } from './values.ts';

const address = z.string().superRefine((text, ctx) => {
  if (isIP(text) !== 0) return;
  const fault = text.startsWith('unix://')
    ? 'must be an IP address or a host: a Unix socket cannot be reached over a network'
    : text.includes('*')
      ? 'must name one host, without a *'
      : hostFault(text);
  if (fault !== undefined) ctx.addIssue({ code: 'custom', message: fault });
});

export const portName = z
  .string()
  .regex(/^[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$/, { error: 'must be letters, digits and hyphens' })
  .max(62);

/** Port name → port at the address; a port that is not named here is the service's own. */
const ports = z.record(portName, portNumber).default({});

const serviceAccount = z.string().regex(/^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,251}[a-zA-Z0-9])?$/, {
  error: 'must be the name of a service account',
});

/** What an address has beside itself; WorkloadGroup gives it to every workload. */
export const workloadFields = {
  ports,
  labels: labels.default({}),
  network: z.string().default(''),
  locality: z
    .string()
    .regex(/^[^/]*(\/[^/]*){0,2}$/, { error: 'must be REGION/ZONE/SUBZONE' })
    .default(''),
  weight: noted(z.int().min(0).max(4_294_967_295), '0: takes no new connections').default(1),
  serviceAccount: serviceAccount.optional(),
};

const workload = fields({
  address: noted(address, 'required: gateways of a network are found without naming it alone').optional(),
  ...workloadFields,
});

/** Istio's WorkloadEntry, and an endpoint of a ServiceEntry. */
export const workloadEntrySchema = across(workload, (value, report) => {
  if (value['address'] !== undefined) return;
  const alone = value['network'] === undefined || value['network'] === '';
  const hint = alone ? '' : ': a network alone is not enough, its gateways are found by themselves and need no entry';
  report(['address'], `is required${hint}`);
});

type Written = Omit<z.output<typeof workload>, 'address'>;

export function toWorkload({
  ports: named,
  labels: of,
  network,
  locality,
  weight,
  serviceAccount: account,
}: Written): Omit<WorkloadEntrySpec, 'address'> {
  return { ports: named, labels: of, network, locality, weight, serviceAccount: account ?? '' };
}

export function toWorkloadEntry(spec: z.output<typeof workloadEntrySchema>): WorkloadEntrySpec {
  return { address: spec.address ?? '', ...toWorkload(spec) };
}
