import { z } from 'zod';
import type { GatewayServer } from '../../../../core/config/index.ts';
import { didYouMean, fields, oneOf } from '../../../../core/yaml/index.ts';
import { across, type Report, type Written } from '../across.ts';
import { absoluteFile } from '../istio/values.ts';
import { noted, refused } from '../refused.ts';

const prefix = 'isthmus.dev';
const options = {
  certificate: `${prefix}/server-certificate`,
  key: `${prefix}/private-key`,
  ca: `${prefix}/client-ca`,
  clients: `${prefix}/client-certificates`,
  version: `${prefix}/min-protocol-version`,
} as const;
const files: readonly string[] = [options.certificate, options.key, options.ca];
const all: readonly string[] = Object.values(options);

const note = [
  `\`${options.certificate}\`, \`${options.key}\` and, for client certificates, \`${options.ca}\`: absolute files on the machine of the gateway`,
  `\`${options.clients}\`: required (default) or optional`,
  `\`${options.version}\`: 1.2 (default) or 1.3`,
].join('; ');

function checkOption(key: string, value: unknown): string | undefined {
  if (!all.includes(key)) return `is no option known here${didYouMean(key, all) || `; known are ${all.join(', ')}`}`;
  if (typeof value !== 'string') return undefined;
  if (files.includes(key)) return absoluteFile.safeParse(value).error?.issues[0]?.message;
  const known = key === options.clients ? ['required', 'optional'] : ['1.2', '1.3'];
  return known.includes(value) ? undefined : `must be ${known.join(' or ')}`;
}

/** ListenerTLSConfig. */
export const listenerTls = across(
  fields({
    mode: oneOf('Terminate', 'Passthrough').default('Terminate'),
    certificateRefs: refused(
      `certificates come from files on the machine of the gateway: options ${options.certificate} and ${options.key}`,
    ),
    options: noted(z.record(z.string(), z.string()), note).default({}),
  }),
  (value, report) => {
    const written = mapOf(value['options']);
    for (const [key, each] of Object.entries(written)) {
      const fault = checkOption(key, each);
      if (fault !== undefined) report(['options', key], fault);
    }
    if (value['mode'] === 'Passthrough') {
      for (const key of Object.keys(written).filter((each) => all.includes(each)))
        report(['options', key], 'means nothing with Passthrough: the service has the certificate');
      return;
    }
    // Who named a Secret has been told already.
    if (value['certificateRefs'] !== undefined) return;
    for (const key of [options.certificate, options.key])
      if (written[key] === undefined) report(['options', key], 'is required with mode Terminate');
    if (written[options.clients] !== undefined && written[options.ca] === undefined)
      report(['options', options.ca], `is required with ${options.clients}`);
  },
);

function mapOf(value: unknown): Written {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Written) : {};
}

/** Where the protocol says so, and nowhere else. */
export function checkTls({ protocol, tls }: Written, report: Report): void {
  const secure = protocol === 'HTTPS' || protocol === 'TLS';
  if (secure && tls === undefined) report(['tls'], `is required with protocol ${protocol}`);
  if (!secure && tls !== undefined && typeof protocol === 'string')
    report(['tls'], `means nothing with protocol ${protocol}: write HTTPS, or TLS for anything but HTTP`);
  const { mode } = mapOf(tls);
  if (protocol === 'HTTPS' && mode === 'Passthrough') report(['tls', 'mode'], 'must be Terminate with protocol HTTPS: write protocol TLS');
  if (protocol === 'TLS' && tls !== undefined && mode === undefined) report(['tls', 'mode'], 'is required with protocol TLS');
}

export function toListenerTls(written: z.output<typeof listenerTls>): NonNullable<GatewayServer['tls']> {
  if (written.mode === 'Passthrough') return { mode: 'passthrough', minVersion: '1.2' };
  const { [options.certificate]: certFile, [options.key]: keyFile, [options.ca]: caFile, [options.clients]: clients } = written.options;
  return {
    mode: caFile === undefined ? 'simple' : clients === 'optional' ? 'optional-mutual' : 'mutual',
    ...(certFile === undefined ? {} : { certFile }),
    ...(keyFile === undefined ? {} : { keyFile }),
    ...(caFile === undefined ? {} : { caFile }),
    minVersion: written.options[options.version] === '1.3' ? '1.3' : '1.2',
  };
}
