import { RE2JS } from 're2js';
import type { PathMatch, StringMatch } from '../../core/traffic/index.ts';

export type StringTest = (value: string) => boolean;

/** Pure; the expression is compiled here, once. One that does not compile, which the control plane refuses, matches nothing. */
export function stringTest(match: StringMatch, ignoreCase = false): StringTest {
  if (match.type === 'regex') return regexTest(match.value);
  const wanted = ignoreCase ? match.value.toLowerCase() : match.value;
  const seen = ignoreCase ? (value: string) => value.toLowerCase() : (value: string) => value;
  switch (match.type) {
    case 'exact':
      return (value) => seen(value) === wanted;
    case 'prefix':
      return (value) => seen(value).startsWith(wanted);
    case 'suffix':
      return (value) => seen(value).endsWith(wanted);
  }
}

export function pathTest(match: PathMatch, ignoreCase: boolean): StringTest {
  if (match.type !== 'segments') return stringTest(match, ignoreCase);
  if (match.value === '/' || match.value === '') return () => true;
  const within = stringTest({ type: 'prefix', value: match.value }, ignoreCase);
  const { length } = match.value;
  return (path) => within(path) && (path.length === length || path[length] === '/');
}

function regexTest(pattern: string): StringTest {
  const compiled = compileRegex(pattern);
  return compiled === undefined ? () => false : (value) => compiled.testExact(value);
}

export function compileRegex(pattern: string): RE2JS | undefined {
  try {
    return RE2JS.compile(pattern);
  } catch {
    return undefined;
  }
}
