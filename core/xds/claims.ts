import { z } from 'zod';
import { isDnsLabel, type Protocol } from '../model/index.ts';
import { accept, type Checked, reject } from '../validate.ts';

/** A service that this client serves itself: what its inbound listener takes, and where the application answers. */
export interface InboundClaim {
  readonly namespace: string;
  readonly name: string;
  /** The service port. */
  readonly port: number;
  readonly protocol: Protocol;
  /** Of the application. Default 127.0.0.1. */
  readonly address: string;
  /** Of the application. */
  readonly target: number;
  /** Where callers without mesh come as well, as its PeerAuthentication has it. Default: nowhere. */
  readonly expose?: { readonly address: string; readonly port: number } | undefined;
}

/** A (service, port) of the mesh and the local address on which this client wants it. */
export interface OutboundClaim {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
  /** An IP to bind. Default 127.0.0.1. */
  readonly address: string;
  readonly listen: number;
}

/** One local listener that takes HTTP for the services named, by Host. */
export interface HttpClaim {
  readonly address: string;
  readonly listen: number;
  /** `hosts`: besides the mesh names of the service. */
  readonly services: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly port: number;
    readonly hosts: readonly string[];
  }[];
}

/**
 * What a client says of its own set-up, in `node.metadata`: it shapes the resources of this client alone and gives it no
 * right: who may call whom is decided by certificates.
 */
export interface NodeClaims {
  /** Undefined: it takes no traffic. */
  readonly inbound?: {
    readonly address: string;
    readonly port: number;
    readonly services: readonly InboundClaim[];
    /** An IP: where a gateway takes callers without a sidecar. Default `address`. */
    readonly originate?: string | undefined;
  };
  readonly outbound: readonly OutboundClaim[];
  readonly http: readonly HttpClaim[];
  /** Mesh clusters for which a proxyless gRPC client holds trust anchors: it can take endpoints of these alone. */
  readonly anchors: readonly string[];
  /** Of the workload, for rules that ask who calls. Default none. */
  readonly labels?: Readonly<Record<string, string>>;
}

export const noClaims: NodeClaims = { outbound: [], http: [], anchors: [] };

const label = z.string().refine(isDnsLabel, { error: 'must be a DNS label' });
const port = z.int().min(1).max(65_535);
const ip = z.union([z.ipv4(), z.ipv6()]);
const host = z.string().min(1).max(253);
const reference = { namespace: label, name: label, port };
const protocol = z.enum(['tcp', 'http', 'http2', 'grpc', 'tls']).default('tcp');

const schema = z.object({
  inbound: z
    .object({
      address: ip.default('0.0.0.0'),
      port: port.default(15_006),
      originate: ip.optional(),
      services: z
        .array(
          z.object({
            ...reference,
            protocol,
            address: ip.default('127.0.0.1'),
            target: port,
            expose: z.object({ address: ip, port }).optional(),
          }),
        )
        .max(256),
    })
    .optional(),
  outbound: z
    .array(z.object({ ...reference, address: ip.default('127.0.0.1'), listen: port }))
    .max(1024)
    .default([]),
  http: z
    .array(
      z.object({
        address: ip.default('127.0.0.1'),
        listen: port,
        services: z.array(z.object({ ...reference, hosts: z.array(host).max(64).default([]) })).max(1024),
      }),
    )
    .max(16)
    .default([]),
  anchors: z.array(label).max(1024).default([]),
});

/** Everything that is wrong at once, with paths under `node.metadata`; keys that are not known here are left alone. */
export function parseClaims(metadata: unknown): Checked<NodeClaims> {
  const parsed = schema.safeParse(metadata ?? {});
  if (!parsed.success) {
    return reject(
      parsed.error.issues.map((issue) => ({ path: ['node.metadata', ...issue.path.map(String)].join('.'), message: issue.message })),
    );
  }
  const { inbound, outbound, http, anchors } = parsed.data;
  return accept({ ...(inbound === undefined ? {} : { inbound }), outbound, http, anchors: [...new Set(anchors)].sort() });
}
