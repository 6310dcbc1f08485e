import { z } from 'zod';
import { accept, type Checked, reject } from '../core/validate.ts';

/**
 * What one VM agent is told. `isthmus vm join` makes it from its flags and keeps it as agent.json in the state directory
 * (the token included, owner-only), so that `isthmus agent --state-dir DIR` starts the same agent after a reboot.
 */
const ms = z.number().int().positive();
const port = z.number().int().min(1).max(65_535);

const health = z.strictObject({
  probe: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('http'), path: z.string().startsWith('/') }),
    z.strictObject({ kind: z.literal('tcp') }),
    z.strictObject({ kind: z.literal('exec'), command: z.tuple([z.string()], z.string()) }),
  ]),
  /** Default 1,000. */
  intervalMs: ms.default(1_000),
  /** Default 1,000. */
  timeoutMs: ms.default(1_000),
  /** Passes in a row, default 1. */
  healthy: z.number().int().min(1).default(1),
  /** Failures in a row, default 2. */
  unhealthy: z.number().int().min(1).default(2),
});

const service = z.strictObject({
  namespace: z.string(),
  name: z.string(),
  /** The service port that callers dial. */
  port,
  protocol: z.enum(['tcp', 'http', 'http2', 'grpc', 'tls']).default('http'),
  /** Default 127.0.0.1. */
  appAddress: z.string().default('127.0.0.1'),
  appPort: port,
  /** Default: tcp on the app's port. */
  health: health.default({ probe: { kind: 'tcp' }, intervalMs: 1_000, timeoutMs: 1_000, healthy: 1, unhealthy: 2 }),
});

const schema = z.strictObject({
  /** Everything the agent keeps; 0700. */
  stateDir: z.string().min(1),
  /** From `isthmus vm token`. */
  token: z.string().min(1),
  /** Unique among the VMs of a cluster; default the host name. */
  instance: z.string().min(1),
  /** IP that others of its network dial. */
  address: z.union([z.ipv4(), z.ipv6()]),
  network: z.string().min(1),
  /** region/zone/subzone; default none. */
  locality: z.string().default(''),
  labels: z.record(z.string(), z.string()).default({}),
  services: z.array(service).default([]),
  /** mTLS from the mesh. Default `address`:15006. Port 0: any free one. */
  inbound: z.strictObject({ address: z.string(), port: z.number().int().min(0).max(65_535) }),
  outbound: z.strictObject({
    /** Give each mesh service a loopback address out of 127.64.0.0/10. Default true on Linux. */
    loopbackAddresses: z.boolean().default(process.platform === 'linux'),
    /** `HOST:PORT` → port of 127.0.0.1. */
    explicit: z.record(z.string(), port).default({}),
    /** Ports that the agent never binds on loopback addresses, besides those of its own services. */
    reservedPorts: z.array(port).default([]),
  }),
  /** Default 127.0.0.1:15053, forwarding nothing. Port 0: any free one. */
  dns: z.strictObject({ address: z.string(), port: z.number().int().min(0).max(65_535), upstreams: z.array(z.string()).default([]) }),
  /** Health, readiness, metrics, status (plaintext). Default 127.0.0.1:15021. Port 0: any free one. */
  admin: z.strictObject({ address: z.string(), port: z.number().int().min(0).max(65_535) }),
  /** From SIGTERM to the end of the last connection. Default 30 s. */
  drainMs: ms.default(30_000),
});

export type AgentOptions = z.output<typeof schema>;
export type AgentOptionsInput = z.input<typeof schema>;

/** Everything that is wrong at once. Messages hold no value of `token`. */
export function parseAgentOptions(input: unknown): Checked<AgentOptions> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return accept(parsed.data);
  return reject(parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message })));
}
