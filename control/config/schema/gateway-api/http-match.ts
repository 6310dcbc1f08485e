import { z } from 'zod';
import type { HttpMatch, NamedMatch, PathMatch, StringMatch } from '../../../../core/traffic/index.ts';
import { fields, oneOf } from '../../../../core/yaml/index.ts';
import { across, type Report, type Written } from '../across.ts';
import { regex } from '../istio/string-match.ts';
import { headerName, lowerName, reportRepeats } from './values.ts';

const forms = ['Exact', 'RegularExpression'] as const;

function checkRegex(value: Written, field: string, report: Report): void {
  if (value['type'] !== 'RegularExpression' || typeof value[field] !== 'string') return;
  for (const { message } of regex.safeParse(value[field]).error?.issues ?? []) report([field], message);
}

function pathFault(path: string): string | undefined {
  if (!path.startsWith('/')) return `must begin with /: /${path}`;
  const wrong = ['//', '/./', '/../', '%2f', '%2F', '#'].find((part) => path.includes(part));
  if (wrong !== undefined) return `must not contain ${wrong}`;
  if (path.endsWith('/..') || path.endsWith('/.')) return 'must not end in /. or /..';
  if (path.includes('?')) return 'must not hold a query: match that by queryParams';
  return /^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+$/.test(path) ? undefined : 'may hold other characters only as %XX';
}

const path = across(
  fields({ type: oneOf('Exact', 'PathPrefix', 'RegularExpression').default('PathPrefix'), value: z.string().max(1024).default('/') }),
  (value, report) => {
    checkRegex(value, 'value', report);
    const fault = typeof value['value'] === 'string' && value['type'] !== 'RegularExpression' ? pathFault(value['value']) : undefined;
    if (fault !== undefined) report(['value'], fault);
  },
);

const named = across(
  fields({ type: oneOf(...forms).default('Exact'), name: headerName, value: z.string().min(1, { error: 'must not be empty' }).max(4096) }),
  (value, report) => checkRegex(value, 'value', report),
);

/** HTTPHeaderMatch and GRPCHeaderMatch; of several with one name only the first would count. */
export const headerMatches = z.array(named).max(16, { error: 'holds more than 16' }).default([]);

export function checkHeaders(value: Written, report: Report): void {
  reportRepeats(value['headers'], lowerName, report, ['headers'], 'name');
}

/** HTTPRouteMatch. */
export const httpMatch = across(
  fields({
    path: path.optional(),
    headers: headerMatches,
    queryParams: z.array(named).max(16, { error: 'holds more than 16' }).default([]),
    method: oneOf('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH').optional(),
  }),
  (value, report) => {
    checkHeaders(value, report);
    reportRepeats(value['queryParams'], (each) => each['name'], report, ['queryParams'], 'name');
  },
);

export const everyPath: PathMatch = { type: 'segments', value: '/' };

export function toHttpMatch(written: z.output<typeof httpMatch>): HttpMatch {
  const { method } = written;
  return {
    path: written.path === undefined ? everyPath : toPath(written.path),
    headers: written.headers.map((each) => toNamed(each, each.name.toLowerCase())),
    query: written.queryParams.map((each) => toNamed(each, each.name)),
    ...(method === undefined ? {} : { method: { type: 'exact', value: method } }),
    sourceLabels: {},
  };
}

function toPath({ type, value }: z.output<typeof path>): PathMatch {
  if (type === 'Exact') return { type: 'exact', value };
  if (type === 'RegularExpression') return { type: 'regex', value };
  // `/shop/` says the same as `/shop`.
  return { type: 'segments', value: value === '/' ? value : value.replace(/\/$/, '') };
}

export function toNamed({ type, value }: z.output<typeof named>, name: string): NamedMatch {
  const match: StringMatch = type === 'Exact' ? { type: 'exact', value } : { type: 'regex', value };
  return { name, value: match };
}
