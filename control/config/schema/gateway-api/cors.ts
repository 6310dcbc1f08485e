import { z } from 'zod';
import type { CorsPolicy, StringMatch } from '../../../../core/traffic/index.ts';
import { fields, oneOf } from '../../../../core/yaml/index.ts';
import { across, listOf, type Report, type Written } from '../across.ts';
import { noted } from '../refused.ts';
import { headerName } from './values.ts';

const origin = z
  .string()
  .max(253)
  .regex(/^(\*|https?:\/\/(((\*\.)?([a-zA-Z0-9-]+\.)*[a-zA-Z0-9-]+|\*)(:[0-9]{1,5})?))$/, {
    error: 'must be an origin such as https://shop.example.com, https://*.example.com or *',
  });

function aloneStar(value: Written, field: string, report: Report): void {
  const list = listOf(value[field]);
  if (list.length > 1 && list.includes('*')) report([field], 'holds * beside others: it is all of them');
}

/** HTTPCORSFilter. */
export const cors = across(
  fields({
    allowOrigins: z.array(origin).max(64).default([]),
    allowMethods: z
      .array(oneOf('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', '*'))
      .max(9)
      .default([]),
    allowHeaders: z.array(headerName).max(64).default([]),
    exposeHeaders: z.array(headerName).max(64).default([]),
    maxAge: noted(z.int().min(1), 'seconds').default(5),
    allowCredentials: z.boolean().default(false),
  }),
  (value, report) => {
    for (const field of ['allowOrigins', 'allowMethods', 'allowHeaders']) aloneStar(value, field, report);
    if (listOf(value['allowOrigins']).length === 0) report(['allowOrigins'], 'must name an origin: without one nobody would be allowed');
  },
);

/** Preflights of other origins are answered here, not sent on (the reference of HTTPCORSFilter.allowOrigins). */
export function toCors(written: z.output<typeof cors>): CorsPolicy {
  return {
    allowOrigins: written.allowOrigins.map(toOrigin),
    allowMethods: written.allowMethods,
    allowHeaders: written.allowHeaders,
    exposeHeaders: written.exposeHeaders,
    maxAgeS: written.maxAge,
    allowCredentials: written.allowCredentials,
    forwardNotMatching: false,
  };
}

function toOrigin(text: string): StringMatch {
  if (text === '*') return { type: 'regex', value: '.*' };
  if (!text.includes('*')) return { type: 'exact', value: text };
  // A star stands for one or more labels.
  const pattern = text.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace('*', '[A-Za-z0-9.-]+');
  return { type: 'regex', value: pattern };
}
