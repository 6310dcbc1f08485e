import { z } from 'zod';
import type { FederatedTrustDomainSpec, FederationServerSpec } from '../../../core/config/index.ts';
import { isTrustDomain, parseWorkloadId } from '../../../core/model/index.ts';
import { fields, oneOf } from '../../../core/yaml/index.ts';
import { across, present } from './across.ts';
import { defined } from './defined.ts';
import { dnsLabel, duration, filePath, listenAddress } from './fields.ts';

const trustDomain = z
  .string()
  .refine(isTrustDomain, { error: 'must be a trust domain: lower-case letters, digits, dots, hyphens, underscores' });
const workload = z.string().refine((text) => parseWorkloadId(text) !== undefined, { error: 'must be spiffe://TRUST_DOMAIN/PATH' });
const httpsUrl = z.string().refine(isHttpsUrl, { error: 'must be https://HOST[:PORT][/PATH], without user, query or fragment' });

function isHttpsUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return protocol === 'https:' && username + password + search + hash === '';
}

const namespaces = z
  .array(z.union([dnsLabel, z.literal('*')], { error: () => 'must be a namespace, or *' }))
  .min(1, { error: 'must name at least one namespace; * for all' });

const profile = oneOf('https_spiffe', 'https_web');

export function federatedTrustDomainSchema(baseDir: string) {
  const bundleEndpoint = across(
    fields({ url: httpsUrl, profile, endpointSpiffeId: workload.optional(), caFile: filePath(baseDir).optional() }),
    (value, report) => {
      if (value.profile === 'https_spiffe') {
        if (value.endpointSpiffeId === undefined)
          report(['endpointSpiffeId'], 'must be set: profile https_spiffe knows its endpoint by it');
        if (value.caFile !== undefined) report(['caFile'], 'belongs to profile https_web: https_spiffe trusts the bundle at hand');
      } else if (value.profile === 'https_web' && value.endpointSpiffeId !== undefined) {
        report(['endpointSpiffeId'], 'belongs to profile https_spiffe: https_web knows its endpoint by its host name');
      }
    },
  );
  return across(
    fields({
      trustDomain,
      bundleEndpoint: bundleEndpoint.optional(),
      bundleFile: filePath(baseDir).optional(),
      namespaces: namespaces.default(['*']),
    }),
    (value, report) => {
      const endpoint = value.bundleEndpoint as { profile?: unknown; endpointSpiffeId?: unknown } | undefined;
      if (present(value, ['bundleEndpoint', 'bundleFile']).length === 0) report([], 'must hold a bundleEndpoint, a bundleFile or both');
      if (endpoint?.profile !== 'https_spiffe') return;
      if (value.bundleFile === undefined)
        report(['bundleFile'], 'must be set: profile https_spiffe authenticates its endpoint by a bundle that came by another way');
      const id = typeof endpoint.endpointSpiffeId === 'string' ? parseWorkloadId(endpoint.endpointSpiffeId) : undefined;
      if (id !== undefined && id.trustDomain !== value.trustDomain)
        report(['bundleEndpoint', 'endpointSpiffeId'], 'must be of that trust domain: its bundle is what authenticates the endpoint');
    },
  );
}

export function toFederatedTrustDomain(spec: z.output<ReturnType<typeof federatedTrustDomainSchema>>): FederatedTrustDomainSpec {
  const { bundleEndpoint, bundleFile, ...rest } = spec;
  return {
    ...rest,
    // What its profile demands has been looked at.
    ...(bundleEndpoint === undefined
      ? {}
      : { bundleEndpoint: defined(bundleEndpoint) as FederatedTrustDomainSpec['bundleEndpoint'] & object }),
    ...(bundleFile === undefined ? {} : { bundleFile }),
  };
}

export function federationServerSchema(baseDir: string) {
  const path = filePath(baseDir).optional();
  return across(
    fields({
      listen: listenAddress,
      profile: profile.default('https_spiffe'),
      certFile: path,
      keyFile: path,
      refreshHint: duration.default(300_000),
    }),
    (value, report) => {
      const files = present(value, ['certFile', 'keyFile']);
      if (value.profile === 'https_web') {
        for (const field of ['certFile', 'keyFile'])
          if (!files.includes(field)) report([field], 'must be set: profile https_web serves with a certificate of the web');
      } else
        for (const field of files) report([field], "belongs to profile https_web: https_spiffe serves with the control plane's own SVID");
    },
  );
}

export function toFederationServer({ refreshHint, ...spec }: z.output<ReturnType<typeof federationServerSchema>>): FederationServerSpec {
  return { ...(defined(spec) as Omit<FederationServerSpec, 'refreshHintMs'>), refreshHintMs: refreshHint };
}
