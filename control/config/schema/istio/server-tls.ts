import { z } from 'zod';
import type { GatewayServer } from '../../../../core/config/index.ts';
import { fields } from '../../../../core/yaml/index.ts';
import { across, present } from '../across.ts';
import { later, noted, refused } from '../refused.ts';
import { absoluteFile } from './values.ts';

const modes = { PASSTHROUGH: 'passthrough', SIMPLE: 'simple', MUTUAL: 'mutual', OPTIONAL_MUTUAL: 'optional-mutual' } as const;
type Mode = keyof typeof modes;

const elsewhere: Readonly<Record<string, string>> = {
  AUTO_PASSTHROUGH: 'east-west gateways do this by themselves, on their own port',
  ISTIO_MUTUAL: 'workloads of the mesh call services, not an ingress: use SIMPLE or MUTUAL for those outside',
};

const mode = z.string().transform((text, ctx): Mode => {
  if (Object.hasOwn(modes, text)) return text as Mode;
  const reason = elsewhere[text];
  const known = Object.keys(modes).join(', ');
  const message = reason === undefined ? `${JSON.stringify(text.slice(0, 40))} is none of ${known}` : `${text} is not supported: ${reason}`;
  ctx.addIssue({ code: 'custom', message });
  return z.NEVER;
});

const version = z.string().transform((text, ctx): '1.2' | '1.3' => {
  if (text === 'TLS_AUTO' || text === 'TLSV1_2') return '1.2';
  if (text === 'TLSV1_3') return '1.3';
  const old = text === 'TLSV1_0' || text === 'TLSV1_1';
  const message = old
    ? `${text} is not supported: it is broken (RFC 8996)`
    : `${JSON.stringify(text.slice(0, 40))} is none of TLS_AUTO, TLSV1_2, TLSV1_3`;
  ctx.addIssue({ code: 'custom', message });
  return z.NEVER;
});

const newest = z.string().refine((text) => text === 'TLS_AUTO' || text === 'TLSV1_3', {
  error: 'is not supported below TLSV1_3: clients choose the newest that they know',
});

const files = 'certificates come from files on the machine of the gateway: serverCertificate, privateKey, caCertificates';
const chosen = 'whom to trust is said by caCertificates';

/** Istio's ServerTLSSettings. */
export const serverTls = across(
  fields({
    httpsRedirect: z.boolean().optional(),
    mode: noted(mode, 'AUTO_PASSTHROUGH and ISTIO_MUTUAL are refused').optional(),
    serverCertificate: absoluteFile.optional(),
    privateKey: absoluteFile.optional(),
    caCertificates: absoluteFile.optional(),
    minProtocolVersion: noted(version, 'TLSV1_2 (as TLS_AUTO) and TLSV1_3').default('1.2'),
    maxProtocolVersion: noted(newest, 'TLS_AUTO and TLSV1_3').optional(),
    credentialName: refused(files),
    credentialNames: refused(files),
    caCertCredentialName: refused(files),
    tlsCertificates: later('several certificates of one server; until then one server for each'),
    subjectAltNames: refused(chosen),
    verifyCertificateSpki: refused(chosen),
    verifyCertificateHash: refused(chosen),
    insecureSkipVerify: refused(`${chosen}; for clients without a certificate use OPTIONAL_MUTUAL or SIMPLE`),
    caCrl: later('revocation of client certificates'),
    cipherSuites: refused('those of the proxies hold: they are sound with either version'),
  }),
  (value, report) => {
    const { mode: said } = value;
    if (typeof said !== 'string') return;
    const mutual = said === 'MUTUAL' || said === 'OPTIONAL_MUTUAL';
    const needed = ['serverCertificate', 'privateKey', ...(mutual ? ['caCertificates'] : [])];
    if (said === 'PASSTHROUGH') {
      for (const field of present(value, [...needed, 'caCertificates']))
        report([field], 'means nothing with PASSTHROUGH: the service has the certificate');
    } else if (said in modes) {
      for (const field of needed) if (value[field] === undefined && !named(value)) report([field], `is required with mode ${said}`);
      if (said === 'SIMPLE' && value['caCertificates'] !== undefined) report(['caCertificates'], 'means nothing with SIMPLE: write MUTUAL');
    }
  },
);

/** What names a certificate that is not a file has been refused already. */
function named(value: Readonly<Record<string, unknown>>): boolean {
  return present(value, ['credentialName', 'credentialNames', 'tlsCertificates']).length > 0;
}

export function toServerTls(written: z.output<typeof serverTls>): NonNullable<GatewayServer['tls']> {
  const { serverCertificate, privateKey, caCertificates } = written;
  return {
    mode: modes[written.mode ?? 'SIMPLE'],
    ...(serverCertificate === undefined ? {} : { certFile: serverCertificate }),
    ...(privateKey === undefined ? {} : { keyFile: privateKey }),
    ...(caCertificates === undefined ? {} : { caFile: caCertificates }),
    minVersion: written.minProtocolVersion,
  };
}
