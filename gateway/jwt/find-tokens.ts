import type { TokenRule } from '../../core/authz/index.ts';

type Places = Pick<TokenRule, 'fromHeaders' | 'fromParams' | 'fromCookies'>;

/** What is looked at, and may be taken away from. `headers`: name, value, name, value, names in lower case. `path` with its query. */
export interface Carrier {
  readonly path: string;
  readonly headers: readonly string[];
}

const standard: Places = { fromHeaders: [{ name: 'authorization', prefix: 'Bearer ' }], fromParams: ['access_token'], fromCookies: [] };

/** Where a rule looks: RFC 6750 §2.1 and §2.3, unless it says otherwise. */
export function placesOf(rule: Places): Places {
  return rule.fromHeaders.length + rule.fromParams.length + rule.fromCookies.length === 0 ? standard : rule;
}

/** Every token that is there, in the order of the places. Pure. */
export function findTokens({ path, headers }: Carrier, { fromHeaders, fromParams, fromCookies }: Places): readonly string[] {
  const found: string[] = [];
  for (const { name, prefix } of fromHeaders) {
    const value = joined(headers, name);
    const at = value?.indexOf(prefix) ?? -1;
    if (value !== undefined && at >= 0) found.push(prefix === '' ? value : tokenWithin(value.slice(at + prefix.length)));
  }
  if (fromParams.length > 0 && path.includes('?')) {
    const query = new URLSearchParams(path.slice(path.indexOf('?') + 1));
    for (const name of fromParams) found.push(...present(query.get(name)));
  }
  for (const name of fromCookies) found.push(...present(cookie(headers, name)));
  return found;
}

/** What goes on when the token is not for the application: without it, but for cookies. Pure. */
export function withoutTokens({ path, headers }: Carrier, { fromHeaders, fromParams }: Places): Carrier {
  const names = fromHeaders.filter(({ name, prefix }) => joined(headers, name)?.includes(prefix) === true).map(({ name }) => name);
  return { path: withoutParams(path, fromParams), headers: names.length === 0 ? headers : withoutHeaders(headers, names) };
}

export function withoutHeaders(headers: readonly string[], names: readonly string[]): readonly string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (!names.includes(headers[i] ?? '')) kept.push(headers[i] ?? '', headers[i + 1] ?? '');
  }
  return kept;
}

function withoutParams(path: string, names: readonly string[]): string {
  const mark = path.indexOf('?');
  if (mark < 0 || names.length === 0) return path;
  const parts = path.slice(mark + 1).split('&');
  const kept = parts.filter((part) => !names.some((name) => new URLSearchParams(part).has(name)));
  if (kept.length === parts.length) return path;
  return kept.length === 0 ? path.slice(0, mark) : `${path.slice(0, mark + 1)}${kept.join('&')}`;
}

/** What may be a token, of a text that may have more around it. */
function tokenWithin(text: string): string {
  return /[A-Za-z0-9_.-]+/.exec(text)?.[0] ?? text;
}

function joined(headers: readonly string[], name: string): string | undefined {
  let value: string | undefined;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (headers[i] === name) value = value === undefined ? headers[i + 1] : `${value},${headers[i + 1]}`;
  }
  return value;
}

function cookie(headers: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (headers[i] !== 'cookie') continue;
    for (const part of (headers[i + 1] ?? '').split(';')) {
      const equals = part.indexOf('=');
      if (equals > 0 && part.slice(0, equals).trim() === name)
        return part
          .slice(equals + 1)
          .trim()
          .replace(/^"(.*)"$/, '$1');
    }
  }
  return undefined;
}

function present(text: string | null | undefined): readonly string[] {
  return text === null || text === undefined || text === '' ? [] : [text];
}
