import { z } from 'zod';
import { isCidr } from '../core/cidr.ts';
import { proofOptions } from '../core/identity/index.ts';
import { isDnsLabel, parseLocality } from '../core/model/index.ts';
import { accept, type Checked, reject } from '../core/validate.ts';

const ms = z.number().int().positive();
const connections = z.number().int().min(1).max(999_999);
const bindPort = z.number().int().min(0).max(65_535);
const bind = z.strictObject({ address: z.union([z.ipv4(), z.ipv6()]), port: bindPort });
const host = z.union([
  z.ipv4(),
  z.ipv6(),
  z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i, 'must be an IP address or a host name'),
]);

const fields = z.strictObject({
  /** `gateway`: between networks, the default; `ingress`: for people outside the mesh, as Gateways say that select its labels. */
  kind: z.enum(['gateway', 'ingress']).default('gateway'),
  /** Everything the gateway keeps: identity, generation, last good resources. 0700. */
  stateDir: z.string().min(1),
  /** From `isthmus gateway token`. Absent: the one kept in `stateDir`. */
  token: z.string().min(1).optional(),
  /** What is shown where the token names an attestor. */
  attest: proofOptions.optional(),
  /** Unique among the gateways of a cluster, the same at every start; letters, digits, `.`, `_`, `-`. */
  instance: z.string().regex(/^[A-Za-z0-9._-]{1,128}$/),
  /** The network whose endpoints it leads to, and no other. */
  network: z.string().refine(isDnsLabel, 'must be a DNS label'),
  /** region/zone/subzone; default none. */
  locality: z
    .string()
    .default('')
    .refine((text) => text === '' || parseLocality(text).region !== '', 'must be region/zone/subzone'),
  /** Of the gateway, for Gateways that select by them and rules that ask who calls. */
  labels: z.record(z.string().min(1).max(256), z.string().max(256)).default({}),
  /** What gateways and callers of other networks dial: IPs or host names. At least one, and none of an ingress gateway. */
  advertise: z.array(host).max(16).default([]),
  /** The port they dial; default: the one it listens on. */
  advertisePort: z.number().int().min(1).max(65_535).optional(),
  /** Peers cannot dial it: it dials gateways of theirs, and is reached through those connections. Default false. */
  behindNat: z.boolean().default(false),
  /** Behind a NAT: to how many gateways of each peer, 1-8. Default 2. */
  tunnels: z.number().int().min(1).max(8).default(2),
  /** mTLS between networks. Default 0.0.0.0:15443. Port 0: any free one. */
  listen: bind.default({ address: '0.0.0.0', port: 15_443 }),
  /** Where callers without a sidecar connect; the ports come from the control plane. Default 0.0.0.0. */
  originateAddress: z.union([z.ipv4(), z.ipv6()]).default('0.0.0.0'),
  /** Where an ingress gateway binds the ports of Gateways that name no address. Default 0.0.0.0. */
  ingressAddress: z.union([z.ipv4(), z.ipv6()]).default('0.0.0.0'),
  /**
   * CIDRs of load balancers in front that say by the PROXY protocol who called. With any, the port between networks, or of an ingress gateway all of
   * its ports, take connections from there alone, and none without that header. Default none: connections come by themselves.
   */
  acceptProxyFrom: z.array(z.string().refine(isCidr, 'must be a CIDR, as 10.0.0.0/8')).max(256).default([]),
  /** Liveness, readiness, status; plaintext. Default 0.0.0.0:15021. */
  health: bind.default({ address: '0.0.0.0', port: 15_021 }),
  /** Prometheus; plaintext. Default 0.0.0.0:15020. */
  metrics: bind.default({ address: '0.0.0.0', port: 15_020 }),
  /** What carries the traffic: our own proxy, an Envoy that the gateway runs, or Envoys that somebody else runs beside it. */
  proxy: z.enum(['isthmus', 'envoy', 'none']).default('isthmus'),
  /** Default: `envoy` of the search path. */
  envoyPath: z.string().min(1).optional(),
  /** What moves the bytes of our own proxy: `native` (Rust), `node` (TypeScript), or `auto`, the native one where it is built. Default `auto`. */
  engine: z.enum(['auto', 'native', 'node']).default('auto'),
  /** Threads of the native engine, 1-64. Default: as many as there are CPUs. */
  engineThreads: z.number().int().min(1).max(64).optional(),
  /** Open connections of our own proxy, 1 to 999,999; the next is refused. Each takes two descriptors. Default 10,000. */
  maxConnections: connections.optional(),
  /** Of one source address. Default 1,000. */
  maxConnectionsPerSource: connections.optional(),
  /** A Unix socket, in a folder that is this user's alone: the process that serves there hands its listening sockets over to this one, and this one to the next. Default: none. */
  handOver: z.string().min(1).optional(),
  /** From SIGTERM to the end of the last connection. Default 30 s. */
  drainMs: ms.default(30_000),
});

const advertised = { path: ['advertise'], when: () => true };
const schema = fields
  .refine((o) => o.kind === 'ingress' || o.behindNat === true || o.advertise === undefined || o.advertise.length > 0, {
    ...advertised,
    message: 'must name at least one',
  })
  .refine((o) => o.kind !== 'ingress' || (o.advertise ?? []).length === 0, {
    ...advertised,
    message: 'must be empty: nobody in the mesh dials an ingress gateway',
  })
  .refine((o) => o.kind !== 'ingress' || (o.proxy ?? 'isthmus') === 'isthmus', {
    path: ['proxy'],
    when: () => true,
    message:
      'must be isthmus for kind ingress: an Envoy for people outside the mesh has its bootstrap from isthmus envoy bootstrap --kind ingress',
  });

const checked = schema
  .refine((o) => (o.acceptProxyFrom ?? []).length === 0 || (o.proxy ?? 'isthmus') === 'isthmus', {
    path: ['acceptProxyFrom'],
    when: () => true,
    message: 'needs proxy isthmus: what an Envoy accepts is said in its own bootstrap',
  })
  .refine((o) => o.behindNat !== true || (o.proxy ?? 'isthmus') === 'isthmus', {
    path: ['behindNat'],
    when: () => true,
    message: 'needs proxy isthmus: an Envoy that runs as a gateway can neither begin nor hold tunnels',
  })
  .refine((o) => (o.maxConnections ?? o.maxConnectionsPerSource) === undefined || (o.proxy ?? 'isthmus') === 'isthmus', {
    path: ['maxConnections'],
    when: () => true,
    message: 'needs proxy isthmus: an Envoy has limits of its own, in its bootstrap',
  })
  .refine((o) => o.handOver === undefined || (o.proxy ?? 'isthmus') === 'isthmus', {
    path: ['handOver'],
    when: () => true,
    message: 'needs proxy isthmus: an Envoy holds its own ports',
  })
  .refine((o) => o.behindNat !== true || o.kind !== 'ingress', {
    path: ['behindNat'],
    when: () => true,
    message: 'is of gateways between networks: nobody in the mesh dials an ingress gateway',
  });

export type GatewayOptions = z.output<typeof checked>;
export type GatewayOptionsInput = z.input<typeof checked>;

/** Everything that is wrong at once. Messages hold no value of `token`. */
export function parseGatewayOptions(input: unknown): Checked<GatewayOptions> {
  const parsed = checked.safeParse(input);
  if (parsed.success) return accept(parsed.data);
  return reject(parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message })));
}
