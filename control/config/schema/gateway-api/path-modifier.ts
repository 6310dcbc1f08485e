import { z } from 'zod';
import type { RedirectAction, Rewrite } from '../../../../core/traffic/index.ts';
import { fields, oneOf } from '../../../../core/yaml/index.ts';
import { across, present } from '../across.ts';
import { inPath, pathText, unsaid } from '../istio/http-text.ts';
import { portNumber } from '../istio/values.ts';
import { preciseHostname } from './values.ts';

const newPath = pathText('must begin with /').max(1024);

/** HTTPPathModifier. */
const pathModifier = across(
  fields({
    type: oneOf('ReplaceFullPath', 'ReplacePrefixMatch'),
    replaceFullPath: newPath.optional(),
    replacePrefixMatch: z
      .string()
      .max(1024)
      .regex(/^(\/|$)/, { error: 'must begin with /, or be empty' })
      .regex(inPath, { error: unsaid })
      .optional(),
  }),
  (value, report) => {
    const wanted = { ReplaceFullPath: 'replaceFullPath', ReplacePrefixMatch: 'replacePrefixMatch' }[String(value['type'])];
    if (wanted === undefined) return;
    if (value[wanted] === undefined) report([wanted], `is required with type ${String(value['type'])}`);
    for (const field of present(value, ['replaceFullPath', 'replacePrefixMatch']))
      if (field !== wanted) report([field], `means nothing with type ${String(value['type'])}`);
  },
);

/** HTTPRequestRedirectFilter. */
export const redirect = across(
  fields({
    scheme: oneOf('http', 'https').optional(),
    hostname: preciseHostname.optional(),
    path: pathModifier.optional(),
    port: portNumber.optional(),
    statusCode: z
      .int()
      .refine((code) => [301, 302, 303, 307, 308].includes(code), { error: 'must be one of 301, 302, 303, 307, 308' })
      .default(302),
  }),
  (value, report) => {
    if (present(value, ['scheme', 'hostname', 'path', 'port']).length === 0)
      report([], 'must change something: scheme, hostname, path or port; else it leads to itself');
  },
);

/** HTTPURLRewriteFilter. */
export const urlRewrite = across(fields({ hostname: preciseHostname.optional(), path: pathModifier.optional() }), (value, report) => {
  if (present(value, ['hostname', 'path']).length === 0) report([], 'must hold hostname, path or both');
});

type WrittenPath = z.output<typeof pathModifier>;

/** An empty prefix is that of every path. */
function toPath({ replaceFullPath: full, replacePrefixMatch: prefix }: WrittenPath): { type: 'full' | 'prefix'; value: string } {
  return full === undefined
    ? { type: 'prefix', value: prefix === undefined || prefix === '' ? '/' : prefix }
    : { type: 'full', value: full };
}

export function toRedirect({ scheme, hostname, path, port: said, statusCode }: z.output<typeof redirect>): RedirectAction {
  // Where the scheme is named its own port is meant, not that of the request.
  const port = said ?? (scheme === undefined ? undefined : scheme === 'https' ? 443 : 80);
  return {
    type: 'redirect',
    ...(scheme === undefined ? {} : { scheme }),
    ...(hostname === undefined ? {} : { authority: hostname }),
    ...(port === undefined ? {} : { port }),
    ...(path === undefined ? {} : { path: toPath(path) }),
    status: statusCode as RedirectAction['status'],
  };
}

export function toRewrite({ hostname, path }: z.output<typeof urlRewrite>): Rewrite {
  return { ...(hostname === undefined ? {} : { authority: hostname }), ...(path === undefined ? {} : { path: toPath(path) }) };
}
