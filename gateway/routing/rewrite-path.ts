import type { RE2JS } from 're2js';
import type { PathMatch, Rewrite } from '../../core/traffic/index.ts';
import { withoutQuery } from './request-view.ts';
import { compileRegex } from './string-match.ts';

type PathRewrite = NonNullable<Rewrite['path']>;

export type PathChange = (path: string, matched: PathMatch | undefined) => string;

/**
 * `path` with its query, which is kept; `matched`: what the rule's match said of the path. Of a plain prefix just its text is replaced, as Envoy does,
 * so that slashes are the author's business; of segments one slash stays between what is put in and the rest (Gateway
 * API's ReplacePrefixMatch). Pure; the expression is compiled here, once.
 */
export function pathChange(rewrite: PathRewrite): PathChange {
  switch (rewrite.type) {
    case 'full':
      return (path) => rewrite.value + path.slice(withoutQuery(path).length);
    case 'prefix':
      return (path, matched) => replacePrefix(path, rewrite.value, matched);
    case 'regex':
      return replaceRegex(compileRegex(rewrite.pattern), rewrite.substitution);
  }
}

function replacePrefix(path: string, value: string, matched: PathMatch | undefined): string {
  const plain = withoutQuery(path);
  const query = path.slice(plain.length);
  // Where nothing is said of the path it matched as `/` does.
  if (matched === undefined) return value + plain.slice(1) + query;
  switch (matched.type) {
    case 'exact':
    case 'regex':
      return value + query;
    case 'prefix':
      return value + plain.slice(matched.value.length) + query;
    case 'segments': {
      const rest = matched.value === '/' ? plain : plain.slice(matched.value.length);
      const whole = value.replace(/\/$/, '') + rest;
      return (whole === '' ? '/' : whole) + query;
    }
  }
}

function replaceRegex(pattern: RE2JS | undefined, substitution: string): PathChange {
  if (pattern === undefined) return (path) => path;
  const parts = parseSubstitution(substitution);
  return (path) => {
    const plain = withoutQuery(path);
    const matcher = pattern.matcher(plain);
    let out = '';
    let from = 0;
    let last = -1;
    while (matcher.find()) {
      // Of RE2's GlobalReplace: nothing is no match of its own where another has just ended.
      if (matcher.start() === matcher.end() && matcher.start() === last) continue;
      out += plain.slice(from, matcher.start());
      for (const part of parts) out += typeof part === 'string' ? part : groupOf(matcher, part);
      from = matcher.end();
      last = from;
    }
    return out + plain.slice(from) + path.slice(plain.length);
  };
}

interface Groups {
  groupCount(): number;
  group(index: number): string | null;
}

function groupOf(matcher: Groups, index: number): string {
  return index <= matcher.groupCount() ? (matcher.group(index) ?? '') : '';
}

/** RE2's substitution: `\0` the whole match, `\1` the first group, `\\` a backslash. */
function parseSubstitution(text: string): readonly (string | number)[] {
  return text
    .split(/(\\[0-9\\])/)
    .filter((part) => part !== '')
    .map((part) => (/^\\[0-9]$/.test(part) ? Number(part[1]) : part === '\\\\' ? '\\' : part));
}
