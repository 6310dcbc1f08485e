import { z } from 'zod';
import { fields, oneOf } from '../../core/yaml/index.ts';

/**
 * WorkloadEntry and ServiceEntry of networking.istio.io (v1, v1beta1, v1alpha3), as far as a mesh without Istio can mean them. What is not
 * here is refused by name, never ignored in silence.
 */

const portNumber = z.int().min(1).max(65_535);
const text = z.string().min(1);
const labels = z.record(z.string(), z.string());
const ip = z.union([z.ipv4(), z.ipv6()], { error: () => 'must be an IP address: host names are not resolved here' });

const workload = {
  address: ip,
  /** Port name → port at the address; a port that is not named here is the service's own. */
  ports: z.record(z.string(), portNumber).default({}),
  labels: labels.default({}),
  network: text.optional(),
  /** region/zone/subzone */
  locality: z.string().optional(),
  /** Default 1; 0 takes no new connections. */
  weight: z
    .int()
    .min(0)
    .max(2 ** 31)
    .optional(),
  serviceAccount: text.optional(),
};

const protocols = ['HTTP', 'HTTPS', 'GRPC', 'HTTP2', 'TCP', 'TLS', 'MONGO', 'GRPC-WEB'] as const;

const servicePort = fields({
  number: portNumber,
  name: text,
  protocol: z
    .string()
    .transform((said) => said.toUpperCase())
    .pipe(oneOf(...protocols))
    .optional(),
  targetPort: portNumber.optional(),
});

const serviceEntry = fields({
  /** The first names the service: NAME, or NAME.NAMESPACE.SUFFIX. */
  hosts: z.array(text).length(1, { error: () => 'must hold exactly one host: one service is one object here' }),
  ports: z.array(servicePort).min(1, { error: () => 'must name at least one port' }),
  location: oneOf('MESH_INTERNAL', 'MESH_EXTERNAL').optional(),
  resolution: z
    .literal('STATIC', { error: () => 'must be STATIC: endpoints are given here, or selected by workloadSelector' })
    .default('STATIC'),
  endpoints: z.array(fields(workload)).default([]),
  workloadSelector: fields({ labels }).optional(),
});

const metadata = fields({
  name: text,
  namespace: text.optional(),
  labels: labels.optional(),
  annotations: labels.optional(),
  /** RFC 3339; the oldest service wins a port conflict. */
  creationTimestamp: z.iso.datetime().optional(),
});

const apiVersion = oneOf('networking.istio.io/v1', 'networking.istio.io/v1beta1', 'networking.istio.io/v1alpha3');

export const serviceEntryObject = fields({ apiVersion, kind: z.literal('ServiceEntry'), metadata, spec: serviceEntry });
export const workloadEntryObject = fields({ apiVersion, kind: z.literal('WorkloadEntry'), metadata, spec: fields(workload) });

export type ServiceEntry = z.output<typeof serviceEntryObject>;
export type WorkloadEntry = z.output<typeof workloadEntryObject>;
export type FileObject = ServiceEntry | WorkloadEntry;
