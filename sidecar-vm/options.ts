import { isIP } from 'node:net';
import { z } from 'zod';
import { inCidrs } from '../core/cidr.ts';
import { cpuCount } from '../core/cpu-count.ts';
import { proofOptions } from '../core/identity/index.ts';
import { isDnsLabel } from '../core/model/index.ts';
import { accept, type Checked, reject } from '../core/validate.ts';
import { captureOptions } from './capture/options.ts';
import { healthOptions, usualHealth } from './health/options.ts';
import { identitiesOption } from './identities/options.ts';
import { svidFilesOption } from './svid-files/options.ts';
import { tunnelOptions } from './tunnel-options.ts';
import { workloadApiOption } from './workload-api/options.ts';

/**
 * What one VM agent is told. `isthmus vm join` makes it from its flags and keeps it as agent.json in the state directory
 * (the token included, owner-only), so that `isthmus agent --state-dir DIR` starts the same agent after a reboot.
 */
const ms = z.number().int().positive();
const port = z.number('must be a port').int('must be a port').min(1, 'must be 1-65535').max(65_535, 'must be 1-65535');
const bindPort = z.number('must be a port').int('must be a port').min(0, 'must be 0-65535').max(65_535, 'must be 0-65535');
const ip = z.union([z.ipv4(), z.ipv6()], 'must be an IP address');
/** Unspecified, multicast, and with it broadcast: no machine's address. */
const noHosts = ['0.0.0.0/8', '224.0.0.0/4', '255.255.255.255/32', '::/128', 'ff00::/8'];
const connections = z.number().int().min(1, 'must be 1 or more').max(999_999, 'must be 999999 or less');
const label = z.string().refine(isDnsLabel, 'must be a DNS label: a-z, 0-9 and -, at most 63');

/** `IP`, `IP:PORT`, `[IPV6]:PORT`. */
const upstream = z.string().refine((text) => {
  const [, bracketed, plain] = /^(?:\[([^\]]+)\](?::[0-9]{1,5})?|([0-9.]+)(?::[0-9]{1,5})?)$/.exec(text) ?? [];
  return isIP(bracketed ?? plain ?? text) !== 0;
}, 'must be IP or IP:PORT');

const service = z.strictObject({
  namespace: label,
  name: label,
  /** The service port that callers dial. */
  port,
  protocol: z.enum(['tcp', 'http', 'http2', 'grpc', 'tls']).default('http'),
  /** Default 127.0.0.1. */
  appAddress: ip.default('127.0.0.1'),
  appPort: port,
  /** Begin each connection to the app with where its caller is, in that version of the PROXY protocol. Default: nothing is said. */
  proxyProtocol: z.enum(['v1', 'v2']).optional(),
  /**
   * The header x-forwarded-client-cert of requests: `sanitize_set` says who called, `sanitize` nothing. What callers say of it themselves
   * never gets through. Default sanitize_set.
   */
  forwardClientCert: z.enum(['sanitize_set', 'sanitize']).optional(),
  /**
   * A listener for callers without mesh, at an address of this machine and the service's port; what it takes its PeerAuthentication says. The app
   * listens elsewhere, on 127.0.0.1 say. Default: none, and mTLS alone comes in.
   */
  expose: z.strictObject({ address: ip, port }).optional(),
  /** Default: tcp on the app's port. */
  health: healthOptions.default(usualHealth),
});

const shape = z.strictObject({
  /** Everything the agent keeps; 0700. */
  stateDir: z.string().min(1),
  /** From `isthmus vm token`. */
  token: z.string().min(1),
  /** What is shown where the token names an attestor. */
  attest: proofOptions.optional(),
  /** Unique among the VMs of a cluster, the same at every start; default the host name. */
  instance: z.string().regex(/^[A-Za-z0-9._-]{1,128}$/, 'must be 1-128 letters, digits and . _ -'),
  /** IP that others of its network dial. `auto`: the one that this machine has towards the control plane, also after it has changed. */
  address: z
    .union([ip, z.literal('auto')], 'must be an IP address or auto')
    .refine((address) => !inCidrs(address, noHosts), 'must be one that others can dial: it is unspecified, multicast or broadcast'),
  network: label,
  /** region/zone/subzone; default none. */
  locality: z
    .string()
    .regex(/^[a-z0-9-]*(\/[a-z0-9-]*){0,2}$/, 'must be REGION/ZONE/SUBZONE')
    .default(''),
  labels: z.record(z.string().min(1).max(256), z.string().max(256)).default({}),
  services: z
    .array(service)
    .max(64)
    .default([])
    .refine((all) => new Set(all.map((s) => `${s.namespace}/${s.name}:${s.port}`)).size === all.length, 'one of them is there twice'),
  /** mTLS from the mesh. Default `address`:15006, with address auto every one of this machine's. Port 0: any free one. */
  inbound: z.strictObject({ address: ip, port: bindPort }),
  outbound: z.strictObject({
    /** Give each mesh service a loopback address out of 127.64.0.0/10. Default true on Linux. */
    loopbackAddresses: z.boolean().default(process.platform === 'linux'),
    /** `HOST:PORT` → port of 127.0.0.1. */
    explicit: z
      .record(z.string().regex(/^[a-z0-9.-]+:[0-9]{1,5}$/i, 'must be HOST:PORT'), port)
      .default({})
      .refine((all) => new Set(Object.values(all)).size === Object.keys(all).length, 'two of them have the same local port'),
    /** Addresses of this machine, such as a bridge of containers, on which explicit ports are served beside 127.0.0.1: whoever reaches them may call. Default none. */
    listenAddresses: z
      .array(
        ip.refine(
          (address) => !['0.0.0.0', '::'].includes(address),
          'must be one address: on all of them the whole network could call as this machine',
        ),
      )
      .max(8)
      .optional(),
    /** Ports that the agent never binds on loopback addresses, besides those of its own services. */
    reservedPorts: z.array(port).default([]),
  }),
  /** A packet filter leads connections here. Default: none does. */
  capture: captureOptions.optional(),
  /** Default 127.0.0.1:15053, forwarding nothing. Port 0: any free one. */
  dns: z.strictObject({ address: ip, port: bindPort, upstreams: z.array(upstream).max(8).default([]) }),
  /** For proxyless gRPC programs of this machine: certificates as files, and a socket with their xDS. Default false. */
  grpc: z.boolean().default(false),
  /** Health, readiness, metrics, status (plaintext). Default 127.0.0.1:15021. Port 0: any free one. */
  admin: z.strictObject({ address: ip, port: bindPort }),
  /** For a machine that nobody can dial. */
  tunnel: tunnelOptions,
  /** What carries the traffic: our own proxy, an Envoy that the agent runs, or Envoys that somebody else runs here. */
  proxy: z.enum(['isthmus', 'envoy', 'none']).default('isthmus'),
  /** Default: `envoy` of the search path. */
  envoyPath: z.string().min(1).optional(),
  /** What moves the bytes of our own proxy: `native` (Rust), `node` (TypeScript), or `auto`, the native one where it is built. Default `auto`. */
  engine: z.enum(['auto', 'native', 'node']).default('auto'),
  /** Threads of the native engine, 1-64; a machine's two directions have so many each. Default: as many as there are CPUs, 4 at most. */
  engineThreads: z
    .number()
    .int()
    .min(1)
    .max(64)
    .default(() => Math.min(4, cpuCount())),
  /**
   * Open connections of our own proxy, of each of a machine's two directions, 1 to 999,999; the next is refused. Each takes two descriptors.
   * Default 10,000.
   */
  maxConnections: connections.optional(),
  /** Of one source address: all programs of this machine have one, but where a packet filter leads them here, which counts nobody's. Default 1,000. */
  maxConnectionsPerSource: connections.optional(),
  /**
   * Which services of the mesh it knows: `all`, or `on-demand` those that its configuration names or somebody here looks up. Default: see
   * `discoveryOf`.
   */
  discovery: z.enum(['all', 'on-demand']).optional(),
  /** A service looked up once is let go of when nobody has looked it up or been connected to it for so long. Default 24 h. */
  forgetAfterMs: ms.default(24 * 3_600_000),
  /** Others than the one that the token is for, and whose each is. */
  identities: identitiesOption(service),
  /** The SPIFFE Workload API for programs of this machine. */
  workloadApi: workloadApiOption,
  /** SVIDs as files, for programs that know nothing of SPIFFE. */
  svidFiles: svidFilesOption,
  /** From SIGTERM to the end of the last connection. Default 30 s. */
  drainMs: ms.default(30_000),
});

const wildcards: readonly string[] = ['0.0.0.0', '::'];

/** Everything that is wrong with what is exposed: callers are told the address, and must not be led in a circle. */
function exposeFaults({ services, identities, address, tunnel, proxy }: z.output<typeof shape>): string[] {
  const all = [...services, ...identities.flatMap((each) => each.services)].filter((each) => each.expose !== undefined);
  const places = all.map(({ expose }) => `${expose?.address} ${expose?.port}`);
  return all.flatMap(({ namespace, name, expose, appAddress, appPort }, i): string[] => {
    const of = `${namespace}/${name}`;
    if (expose === undefined) return [];
    return [
      ...(tunnel === 'off' ? [] : [`${of} cannot be exposed: nobody can dial a machine behind a NAT`]),
      ...(proxy === 'none' ? [`${of} cannot be exposed with proxy none: an Envoy of your own listens where its bootstrap says`] : []),
      ...(address === 'auto' ? [`${of} cannot be exposed where address is auto: say which it is (vm join --address IP)`] : []),
      ...(address === 'auto' || expose.address === address
        ? []
        : [`${of} must be exposed at ${address}, the machine's address that callers are told`]),
      ...(expose.port === appPort && (appAddress === expose.address || wildcards.includes(appAddress))
        ? [`${of} is exposed where its app listens: let the app listen on 127.0.0.1 or another port`]
        : []),
      ...(places.indexOf(places[i] ?? '') < i ? [`${of} is exposed where another service is`] : []),
    ];
  });
}

const schema = shape
  .refine(({ address, inbound }) => address !== 'auto' || inbound.address === '0.0.0.0' || inbound.address === '::', {
    path: ['inbound', 'address'],
    message: 'must be 0.0.0.0 or :: where address is auto: a listener of one address would end with it',
  })
  .refine((o) => (o.maxConnections ?? o.maxConnectionsPerSource) === undefined || o.proxy === 'isthmus', {
    path: ['maxConnections'],
    message: 'needs proxy isthmus: an Envoy has limits of its own',
  })
  .superRefine((value, ctx) => {
    for (const message of exposeFaults(value)) ctx.addIssue({ code: 'custom', path: ['services'], message });
  })
  .refine(
    ({ svidFiles, identities }) =>
      svidFiles.every(({ identity }) => identity === 'default' || identities.some(({ name }) => name === identity)),
    {
      path: ['svidFiles'],
      message: 'one of them is of an identity that is not there',
    },
  )
  .refine(
    ({ services, identities }) => {
      const all = [...services, ...identities.flatMap((each) => each.services)].map((s) => `${s.namespace}/${s.name}:${s.port}`);
      return new Set(all).size === all.length;
    },
    { path: ['identities'], message: 'two of them have the same service' },
  )
  .refine(
    ({ proxy, identities }) =>
      proxy === 'isthmus' || identities.every(({ selectors, services }) => services.length + selectors.uid.length === 0),
    {
      path: ['identities'],
      message:
        'users and services of several identities need proxy isthmus: an Envoy that the agent runs has one. Your own Envoys get theirs by SDS from workloadApi',
    },
  );

export type AgentOptions = z.output<typeof schema>;
export type AgentOptionsInput = z.input<typeof schema>;

/** On demand where the resolver leads to services, or explicit ports name them; otherwise everything. */
export function discoveryOf({ discovery, outbound }: AgentOptions): 'all' | 'on-demand' {
  if (discovery !== undefined) return discovery;
  return outbound.loopbackAddresses || Object.keys(outbound.explicit).length > 0 ? 'on-demand' : 'all';
}

/** Everything that is wrong at once. Messages hold no value of `token`. */
export function parseAgentOptions(input: unknown): Checked<AgentOptions> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return accept(parsed.data);
  return reject(parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message })));
}
