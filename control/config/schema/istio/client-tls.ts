import { z } from 'zod';
import type { OutsideTls } from '../../../../core/traffic/index.ts';
import { fields, oneOf } from '../../../../core/yaml/index.ts';
import { across, present } from '../across.ts';
import { noted, refused } from '../refused.ts';
import { absoluteFile } from './values.ts';

const own = ['clientCertificate', 'privateKey', 'caCertificates'] as const;

/** Istio's ClientTLSSettings. */
export const clientTls = across(
  fields({
    mode: noted(
      oneOf('DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL'),
      'ISTIO_MUTUAL is what holds for every mesh host anyway; the others are for hosts outside, and refused for mesh hosts',
    ).default('DISABLE'),
    clientCertificate: absoluteFile.optional(),
    privateKey: absoluteFile.optional(),
    caCertificates: absoluteFile.optional(),
    sni: z.string().min(1).optional(),
    subjectAltNames: z.array(z.string().min(1)).optional(),
    insecureSkipVerify: z.boolean().optional(),
    credentialName: refused('keys come from files on the machine of the proxy: clientCertificate, privateKey, caCertificates'),
    caCrl: refused('certificates live for hours here instead of being revoked; outside the mesh use caCertificates'),
  }),
  (value, report) => {
    const { mode = 'DISABLE' } = value;
    // Said of the mode itself.
    if (typeof mode !== 'string') return;
    const needed = mode === 'MUTUAL' ? ['clientCertificate', 'privateKey'] : [];
    for (const field of needed) if (value[field] === undefined) report([field], 'is required with mode MUTUAL');
    const excess = mode === 'SIMPLE' ? own.slice(0, 2) : mode === 'MUTUAL' ? [] : [...own, 'sni', 'insecureSkipVerify', 'subjectAltNames'];
    for (const field of present(value, excess)) report([field], `means nothing with mode ${mode}`);
  },
);

export function toOutsideTls(written: z.output<typeof clientTls>, host: string): OutsideTls | undefined {
  const { mode, caCertificates, clientCertificate, privateKey, insecureSkipVerify } = written;
  if (mode === 'DISABLE' || mode === 'ISTIO_MUTUAL') return undefined;
  return {
    mode: mode === 'SIMPLE' ? 'simple' : 'mutual',
    sni: written.sni ?? (host.startsWith('*') ? '' : host),
    subjectAltNames: written.subjectAltNames ?? [],
    ...(caCertificates === undefined ? {} : { caFile: caCertificates }),
    ...(clientCertificate === undefined ? {} : { certFile: clientCertificate }),
    ...(privateKey === undefined ? {} : { keyFile: privateKey }),
    ...(insecureSkipVerify === undefined ? {} : { insecureSkipVerify }),
  };
}

/** Names of services: without a dot, or below a suffix of the mesh or of Kubernetes. */
export function isMeshHost(host: string): boolean {
  return !host.includes('.') || /\.(mesh\.internal|svc\.cluster\.local|svc\.clusterset\.local)$/.test(host);
}
