import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { parseDuration } from '../../../core/duration.ts';
import { isDnsLabel } from '../../../core/model/index.ts';

/** `15s`, `24h`, `1h30m`, as ms; a bare 0 too. */
export const duration = z
  .union([z.string(), z.literal(0)], {
    error: (issue) => (issue.input === undefined ? undefined : 'must be a duration such as 15s, 24h or 7d'),
  })
  .transform((text, ctx) => {
    const parsed = parseDuration(String(text));
    if (parsed !== undefined) return parsed;
    ctx.addIssue({ code: 'custom', message: `${JSON.stringify(text)} is not a duration; write it as 15s, 24h or 7d` });
    return z.NEVER;
  });

export const dnsLabel = z
  .string()
  .refine(isDnsLabel, { error: 'must be a DNS label: lower-case letters, digits and hyphens, at most 63, no hyphen at an end' });

export const dnsName = z
  .string()
  .refine((text) => text.length <= 253 && text.split('.').every(isDnsLabel), { error: 'must be a DNS name such as mesh.internal' });

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `HOST:PORT` or `[IPv6]:PORT`. */
export function parseHostPort(text: string): HostPort | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) return undefined;
  return { host: match[1] ?? match[2] ?? '', port };
}

export const listenAddress = z
  .string()
  .refine((text) => parseHostPort(text) !== undefined, { error: 'must be HOST:PORT, for example 0.0.0.0:15012 or [::]:15012' });

export const dialAddress = z
  .string()
  .refine((text) => (parseHostPort(text)?.port ?? 0) > 0, { error: 'must be HOST:PORT with a port above 0, for example 10.0.0.5:15012' });

export const httpUrl = z.string().superRefine((text, ctx) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.host === '') {
    ctx.addIssue({ code: 'custom', message: 'must be an http or https URL, for example http://127.0.0.1:8500' });
  } else if (url.username !== '' || url.password !== '') {
    ctx.addIssue({ code: 'custom', message: 'must not hold a credential; put it into a file and name that file' });
  }
});

/** A path, relative ones to the folder of the file they stand in. */
export function filePath(baseDir: string) {
  return z
    .string()
    .min(1, { error: 'must name a file or folder' })
    .transform((path) => (isAbsolute(path) ? path : resolve(baseDir, path)));
}

/** A map from text to text, such as labels. */
export const textMap = z.record(z.string(), z.string());
