import { z } from 'zod';
import type { HeaderChanges } from '../../../../core/traffic/index.ts';
import { fields } from '../../../../core/yaml/index.ts';
import { across, listOf } from '../across.ts';
import { noted } from '../refused.ts';
import { authorityFault, headerTextFault } from './http-text.ts';

const token = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const hosts = ['host', ':authority'];

/** Those of one connection, which a proxy writes itself (RFC 9110 §7.6.1). */
const ofConnection = ['connection', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade', 'content-length'];

/** What is wrong with changing a header of that name; undefined: nothing. */
export function nameFault(name: string, operation: 'set' | 'add' | 'remove'): string | undefined {
  const lower = name.toLowerCase();
  if (hosts.includes(lower)) {
    if (operation === 'set') return undefined;
    return operation === 'add' ? 'there is only one host: write it in set' : 'no request is without a host: it can be set, not removed';
  }
  if (name.startsWith(':')) return 'cannot be changed here: use rewrite, or set host';
  if (!token.test(name)) return 'is not a header name';
  return ofConnection.includes(lower) ? 'belongs to one connection: proxies write it themselves' : undefined;
}

/** Envoy takes `%...%` as a command; a per cent sign is written `%%`. */
function valueFault(name: string, value: string): string | undefined {
  const command = /%([A-Z_]+)[(:%]/.exec(value.replaceAll('%%', ''));
  if (command !== null) return `holds the command %${command[1]}%, which only Envoy knows: write the value itself`;
  if (value.replaceAll('%%', '').includes('%')) return 'holds a single %: write it as %%';
  return hosts.includes(name.toLowerCase()) ? authorityFault(value) : headerTextFault(value);
}

const operations = across(
  fields({
    set: noted(z.record(z.string(), z.string()), 'values as they are, without commands of Envoy; `%%` for a per cent sign').default({}),
    add: z.record(z.string(), z.string()).default({}),
    remove: z.array(z.string()).default([]),
  }),
  (written, report) => {
    for (const operation of ['set', 'add'] as const) {
      for (const [name, value] of Object.entries(written[operation] ?? {})) {
        const fault = nameFault(name, operation) ?? (typeof value === 'string' ? valueFault(name, value) : undefined);
        if (fault !== undefined) report([operation, name], fault);
      }
    }
    listOf(written['remove']).forEach((name, i) => {
      const fault = typeof name === 'string' ? nameFault(name, 'remove') : undefined;
      if (fault !== undefined) report(['remove', i], fault);
    });
  },
);

/** Istio's Headers. */
export const headers = fields({ request: operations.optional(), response: operations.optional() });

interface Changes {
  readonly requestHeaders?: HeaderChanges;
  readonly responseHeaders?: HeaderChanges;
}

export function toHeaders(written: z.output<typeof headers> | undefined): Changes {
  const { request, response } = written ?? {};
  return {
    ...(request === undefined ? {} : { requestHeaders: changes(request) }),
    ...(response === undefined ? {} : { responseHeaders: changes(response) }),
  };
}

function changes(written: z.output<typeof operations>): HeaderChanges {
  const pairs = (map: Readonly<Record<string, string>>) =>
    Object.entries(map).map(([name, value]) => [name.toLowerCase(), value.replaceAll('%%', '%')] as const);
  return { set: pairs(written.set), add: pairs(written.add), remove: written.remove.map((name) => name.toLowerCase()) };
}
