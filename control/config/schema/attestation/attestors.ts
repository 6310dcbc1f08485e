import { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { type AttestorSpec, jwtAlgorithms } from '../../../../core/config/index.ts';
import { parseCertificate, pemBlocks } from '../../../../core/pki/index.ts';
import { fields, oneOf } from '../../../../core/yaml/index.ts';
import type { Written } from '../across.ts';
import { defined } from '../defined.ts';
import { httpUrl } from '../fields.ts';
import { caFile, durationWithin } from '../migration/values.ts';
import { noted } from '../refused.ts';

const minute = 60_000;
const day = 24 * 60 * minute;
const types = ['oidc', 'nomad', 'kubernetes', 'aws', 'x509'] as const;

const audience = z.string().min(1, { error: 'must not be empty' }).max(512, { error: 'must be at most 512 characters' });
const audiences = noted(
  z.array(audience).max(8, { error: 'must be at most 8' }).default([]),
  'any of them; default isthmus/TRUST_DOMAIN/CLUSTER, which no other cluster takes',
);
const maxLifetime = noted(
  durationWithin([minute, '1m'], [30 * day, '30d']).default(day),
  'of a token, from its making to its end; default 24h',
);
const keepKeys = noted(
  durationWithin([minute, '1m'], [30 * day, '30d']).default(7 * day),
  'for as long the keys last fetched are good while the issuer does not answer; default 7d',
);

/** Keys that come over plaintext are whoever's is in between. */
const issuerUrl = httpUrl.refine((text) => !URL.canParse(text) || isPrivate(new URL(text)), {
  error:
    'must be https (plain http is taken to loopback addresses alone): whoever could change the keys on their way could make identities',
});

function isPrivate({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || /^(127(\.[0-9]{1,3}){3}|\[::1\]|localhost)$/.test(hostname);
}

const pemOf = (isCertificate: (der: Buffer) => boolean) =>
  z
    .string()
    .max(256 * 1024, { error: 'must be at most 256 KiB' })
    .superRefine((text, ctx) => {
      const blocks = pemBlocks(text, 'CERTIFICATE');
      if (/PRIVATE KEY/.test(text)) ctx.addIssue({ code: 'custom', message: 'must hold no private key: only certificates belong here' });
      else if (blocks.length === 0 || blocks.length > 64) ctx.addIssue({ code: 'custom', message: 'must hold 1-64 certificates as PEM' });
      for (const [index, der] of blocks.entries())
        if (!isCertificate(der))
          ctx.addIssue({ code: 'custom', message: `certificate ${index + 1} cannot be read, or is not of a kind that is taken` });
    });

const strictly = (der: Buffer): boolean => parseCertificate(der).ok;

function withRsaKey(der: Buffer): boolean {
  try {
    return new X509Certificate(der).publicKey.asymmetricKeyType === 'rsa';
  } catch {
    return false;
  }
}

const keyFetching = { maxLifetime, keepKeys, caFile: noted(caFile, 'what the issuer is trusted by; default the system').optional() };

const algorithm = oneOf(...jwtAlgorithms);
const oidc = fields({
  type: z.literal('oidc'),
  issuer: noted(issuerUrl, 'as tokens say it in iss, exactly'),
  jwksUrl: noted(issuerUrl, "default: as the issuer's /.well-known/openid-configuration says").optional(),
  audiences,
  algorithms: noted(
    z.array(algorithm).min(1, { error: 'must name at least one' }).default(['RS256', 'ES256']),
    'asymmetric ones; default RS256 and ES256',
  ),
  ...keyFetching,
});

const nomad = fields({
  type: z.literal('nomad'),
  url: noted(issuerUrl, "of Nomad's API; workload identities are signed by the keys at /.well-known/jwks.json"),
  issuer: noted(issuerUrl, "where Nomad's servers set oidc_issuer: then tokens must name it").optional(),
  audiences,
  ...keyFetching,
});

const kubernetes = fields({
  type: z.literal('kubernetes'),
  kubeconfig: noted(caFile, 'default: the service account of the pod that the control plane runs in').optional(),
  context: z.string().min(1).max(253).optional(),
  audiences,
  maxLifetime,
});

const account = z.string().regex(/^[0-9]{12}$/, { error: 'must be 12 digits, in quotes' });
const aws = fields({
  type: z.literal('aws'),
  certificates: noted(pemOf(withRsaKey), "AWS's, for RSA-2048 signatures, of each region that instances are in"),
  accounts: noted(
    z.array(account).min(1, { error: 'must name at least one: AWS signs the documents of every customer' }).max(1000),
    'whose instances may come',
  ),
  firstWithin: noted(
    durationWithin([0, '0'], [365 * day, '365d']).default(0),
    'of the launch: a key of an instance that is not known yet is taken no later; default 0, at any time',
  ),
});

const x509 = fields({
  type: z.literal('x509'),
  authorities: noted(pemOf(strictly), 'whose certificates are taken'),
});

export const attestor = z.discriminatedUnion('type', [oidc, nomad, kubernetes, aws, x509], {
  error: (issue) => {
    if (issue.code !== 'invalid_union') return undefined;
    const type = (issue.input as Written | undefined)?.['type'];
    return type === undefined ? `is required: one of ${types.join(', ')}` : oneOf(...types).safeParse(type).error?.issues[0]?.message;
  },
});

export function toAttestor(written: z.output<typeof attestor>): AttestorSpec {
  switch (written.type) {
    case 'oidc':
    case 'nomad': {
      const { maxLifetime: maxLifetimeMs, keepKeys: keepKeysMs, ...rest } = written;
      return defined({ ...rest, maxLifetimeMs, keepKeysMs }) as AttestorSpec;
    }
    case 'kubernetes': {
      const { maxLifetime: maxLifetimeMs, ...rest } = written;
      return defined({ ...rest, maxLifetimeMs }) as AttestorSpec;
    }
    case 'aws': {
      const { firstWithin: firstWithinMs, ...rest } = written;
      return { ...rest, firstWithinMs };
    }
    case 'x509':
      return written;
  }
}
