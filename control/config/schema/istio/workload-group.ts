import { z } from 'zod';
import type { WorkloadGroupSpec } from '../../../../core/config/index.ts';
import { fields, oneOf } from '../../../../core/yaml/index.ts';
import { oneFieldOf } from '../across.ts';
import { refused } from '../refused.ts';
import { labels, portNumber } from './values.ts';
import { toWorkload, workloadFields } from './workload-entry.ts';

const seconds = (least: number, fallback: number) => z.int().min(least).max(86_400).default(fallback);

const httpGet = fields({
  port: portNumber,
  path: z.string().startsWith('/', { error: 'must be a path' }).default('/'),
  host: z.string().default(''),
  scheme: oneOf('HTTP', 'HTTPS').default('HTTP'),
  httpHeaders: z.array(fields({ name: z.string().min(1), value: z.string().default('') })).default([]),
});

const forms = ['httpGet', 'tcpSocket', 'grpc', 'exec'] as const;

const probe = oneFieldOf(
  fields({
    httpGet: httpGet.optional(),
    tcpSocket: fields({ port: portNumber, host: z.string().default('') }).optional(),
    grpc: fields({ port: portNumber, service: z.string().default('') }).optional(),
    exec: refused('agents run no commands that come from the control plane: use httpGet, tcpSocket or grpc'),
    initialDelaySeconds: seconds(0, 0),
    timeoutSeconds: seconds(1, 1),
    periodSeconds: seconds(1, 10),
    successThreshold: z.int().min(1).default(1),
    failureThreshold: z.int().min(1).default(3),
  }),
  forms,
);

/** Istio's WorkloadGroup. */
export const workloadGroupSchema = fields({
  metadata: fields({
    labels: labels.default({}),
    annotations: refused('nothing here reads them; use labels'),
  }).prefault({}),
  template: fields({ address: refused('each workload has its own: its agent tells it'), ...workloadFields }),
  probe: probe.optional(),
});

export function toWorkloadGroup(spec: z.output<typeof workloadGroupSchema>): WorkloadGroupSpec {
  const check = spec.probe === undefined ? undefined : toProbe(spec.probe);
  return { labels: spec.metadata.labels, template: toWorkload(spec.template), ...(check === undefined ? {} : { probe: check }) };
}

function toProbe(written: z.output<typeof probe>): WorkloadGroupSpec['probe'] {
  const { httpGet: http, tcpSocket: tcp, grpc } = written;
  const times = {
    initialDelayMs: written.initialDelaySeconds * 1000,
    timeoutMs: written.timeoutSeconds * 1000,
    periodMs: written.periodSeconds * 1000,
    successThreshold: written.successThreshold,
    failureThreshold: written.failureThreshold,
  };
  if (tcp !== undefined) return { check: { type: 'tcp', ...tcp }, ...times };
  if (grpc !== undefined) return { check: { type: 'grpc', ...grpc }, ...times };
  if (http === undefined) return undefined;
  const { scheme, httpHeaders, ...rest } = http;
  const headers = httpHeaders.map(({ name, value }) => [name, value] as const);
  return { check: { type: 'http', ...rest, scheme: scheme === 'HTTPS' ? 'https' : 'http', headers }, ...times };
}
