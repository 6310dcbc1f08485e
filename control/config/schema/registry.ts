import { z } from 'zod';
import { appliableKinds } from '../../../core/config/index.ts';
import { fields, oneOf } from '../../../core/yaml/index.ts';
import { dnsLabel, filePath, httpUrl, textMap } from './fields.ts';

const claim = z
  .string()
  .regex(/^[a-z0-9*-]+\/[a-z0-9*-]+$/, { error: 'must be NAMESPACE/NAME, with * as wildcard, such as default/orders or */*' });
const native = z.string().min(1);

const namespaceFrom = z.union([z.literal('native'), fields({ meta: z.string().min(1) }), fields({ tagPrefix: z.string().min(1) })], {
  error: () => 'must be native, {meta: KEY} or {tagPrefix: PREFIX}',
});

const mapping = fields({
  namespace: dnsLabel.default('default'),
  namespaceFrom: namespaceFrom.optional(),
  rename: z.record(z.string(), dnsLabel).default({}),
  include: z.array(native).default([]),
  exclude: z.array(native).default([]),
  claims: z.array(claim).default([]),
  network: dnsLabel.optional(),
  protocol: oneOf('tcp', 'http', 'http2', 'grpc', 'tls').default('tcp'),
  serviceAccount: z
    .string()
    .regex(/^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,251}[a-zA-Z0-9])?$/, { error: 'must be a service account name' })
    .default('default'),
  tlsMode: oneOf('mesh', 'none').default('none'),
  locality: z
    .string()
    .regex(/^[^/]*(\/[^/]*){0,2}$/, { error: 'must be REGION/ZONE/SUBZONE' })
    .default(''),
});

const [firstKind = '', ...otherKinds] = new Set(appliableKinds.map((k) => k.kind));
const namespaceOrAll = z.union([dnsLabel, z.literal('*')], { error: () => 'must be a namespace, or *' });

/** `true` is all of it. */
const objects = z.preprocess(
  (value) => (value === true ? {} : value === false ? undefined : value),
  fields({
    kinds: z.array(oneOf(firstKind, ...otherKinds)).default([]),
    namespaces: z.array(namespaceOrAll).default(['*']),
  }).optional(),
);

const noObjects = z.literal(false, { error: () => 'only registries of type kubernetes hold objects' }).optional();

const types = ['consul', 'nomad', 'kubernetes', 'file'] as const;

export const registryType = oneOf(...types);

function connections(baseDir: string) {
  const path = filePath(baseDir);
  const tls = fields({ caFile: path.optional(), certFile: path.optional(), keyFile: path.optional(), serverName: z.string().optional() });
  return {
    consul: fields({
      url: httpUrl,
      datacenter: z.string().optional(),
      namespace: z.string().optional(),
      partition: z.string().optional(),
      tokenFile: path.optional(),
      tls: tls.optional(),
    }),
    nomad: fields({
      url: httpUrl,
      region: z.string().optional(),
      namespace: z.string().default('*'),
      tokenFile: path.optional(),
      tls: tls.optional(),
    }),
    kubernetes: fields({ kubeconfig: path.optional(), context: z.string().optional(), namespaces: z.array(dnsLabel).default([]) }).prefault(
      {},
    ),
    file: fields({ path }),
  };
}

/** One schema a registry type, so that every mistake in the connection shows beside those elsewhere. */
export function registrySchema(baseDir: string, type: (typeof types)[number]) {
  return fields({
    type: registryType,
    mapping: mapping.prefault({}),
    publish: z.boolean().default(false),
    takeover: z.boolean().default(false),
    objects: type === 'kubernetes' ? objects : noObjects,
    connection: connections(baseDir)[type],
  });
}

export const exportPolicySchema = fields({
  services: z.array(z.string().min(1)).min(1, { error: 'must name at least one service; * for all' }),
  labels: textMap.default({}),
  audience: z
    .array(z.union([dnsLabel, z.literal('*')], { error: () => 'must be a cluster name, or *' }))
    .min(1, { error: 'must name at least one cluster; * for all' }),
});
