import { isIP } from 'node:net';
import { z } from 'zod';
import { fields, oneOf } from '../../../core/yaml/index.ts';
import { federationServerSchema } from './federation.ts';
import { dialAddress, dnsLabel, dnsName, duration, filePath, httpUrl, listenAddress } from './fields.ts';

const hour = 3_600_000;
const day = 24 * hour;

const cidr = z.string().refine(isCidr, { error: 'must be a CIDR such as 10.0.0.0/8 or ::1/128' });

function isCidr(text: string): boolean {
  const [address = '', bits = ''] = text.split('/');
  const version = isIP(address);
  return version !== 0 && /^[0-9]{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128);
}

const port = z.int().min(1).max(65_535);

const portRange = z
  .union([z.tuple([port, port]), z.string().regex(/^[0-9]{1,5}-[0-9]{1,5}$/)], {
    error: () => 'must be a range of ports between 1 and 65535, such as 16000-19999',
  })
  .transform((range): readonly [number, number] => {
    const [low = 0, high = 0] = typeof range === 'string' ? range.split('-').map(Number) : range;
    return [low, high];
  })
  .refine(([low, high]) => low >= 1 && high <= 65_535 && low <= high, {
    error: 'must be a range of ports between 1 and 65535, the lower one first, such as 16000-19999',
  });

const httpsUrl = httpUrl.refine((url) => url.startsWith('https://'), { error: 'must begin with https://: a token is sent there' });

/** Bounds of lifetimes depend on the trust domain and are checked across objects. */
export function meshSchema(baseDir: string) {
  const path = filePath(baseDir);
  const etcd = fields({
    kind: z.literal('etcd'),
    endpoints: z.array(httpUrl).min(1, { error: 'must name at least one endpoint' }),
    prefix: z.string().optional(),
    caFile: path.optional(),
    certFile: path.optional(),
    keyFile: path.optional(),
    credentialFile: path.optional(),
  });
  const embedded = fields({ kind: z.literal('embedded') });
  const sources = z.array(fields({ name: dnsLabel, cidrs: z.array(cidr).min(1, { error: 'must name at least one CIDR' }) }));
  return fields({
    cluster: dnsLabel,
    trustDomain: dnsName,
    network: dnsLabel.optional(),
    hostSuffix: dnsName.default('mesh.internal'),
    stateDir: path,
    store: z
      .discriminatedUnion('kind', [embedded, etcd], {
        error: (issue) => (issue.code === 'invalid_union' ? storeKinds(issue.input) : undefined),
      })
      .default({ kind: 'embedded' }),
    grpc: fields({ listen: listenAddress.default('0.0.0.0:15012'), advertise: z.array(dialAddress).default([]) }).prefault({}),
    api: fields({ listen: listenAddress.default('0.0.0.0:15014') }).prefault({}),
    health: fields({ listen: listenAddress.default('127.0.0.1:15021') }).prefault({}),
    identity: fields({
      svidTtl: duration.default(day),
      intermediateTtl: duration.default(90 * day),
      rootDir: path.optional(),
      signer: fields({ url: httpsUrl, rootFile: path, caFile: path.optional(), tokenFile: path.optional() }).optional(),
    })
      .refine(({ rootDir, signer }) => rootDir === undefined || signer === undefined, {
        error: 'takes rootDir, where the root is a file here, or signer, where it is elsewhere: not both',
      })
      .prefault({}),
    originate: fields({ portRange: portRange.default([16_000, 19_999]), sources: sources.default([]) }).prefault({}),
    migrations: fields({ maxConcurrent: z.int().min(1).max(1_000).default(3) }).prefault({}),
    federation: federationServerSchema(baseDir).optional(),
    catalog: fields({ expireAfter: duration.default(hour), agentTtl: duration.default(15_000) }).prefault({}),
  });
}

function storeKinds(input: unknown): string | undefined {
  const kind = (input as { kind?: unknown } | undefined)?.kind;
  return oneOf('embedded', 'etcd').safeParse(kind).error?.issues[0]?.message;
}
