import { RE2JS } from 're2js';
import type { HttpMatch, L4Match, Label, NamedMatch, PathMatch, StringMatch } from './gen/isthmus/native/v1/routing.ts';
import { checkCount, isCidr, type Report } from './report.ts';

const mostConditions = 256;
const longestText = 8_192;
/** Of a regular expression: matching takes time in proportion to it. */
const longestPattern = 4_096;
const later = 'must be set; maybe a kind that this version does not know';

export function checkHttpMatch(match: HttpMatch, path: string, report: Report): void {
  const { headers, query, sourceLabels } = match;
  if (match.path !== undefined) checkPath(match.path, `${path}.path`, report);
  for (const field of ['method', 'scheme', 'authority'] as const) {
    const value = match[field];
    if (value !== undefined) checkStringMatch(value, `${path}.${field}`, report);
  }
  checkCount(headers.length + query.length + sourceLabels.length, mostConditions, path, report);
  for (const [i, header] of headers.entries()) {
    checkNamed(header, `${path}.headers[${i}]`, report);
    if (header.name !== header.name.toLowerCase()) report(`${path}.headers[${i}].name`, 'must be lower case');
  }
  for (const [i, parameter] of query.entries()) checkNamed(parameter, `${path}.query[${i}]`, report);
  checkLabels(sourceLabels, `${path}.sourceLabels`, report);
}

function checkPath({ kind }: PathMatch, path: string, report: Report): void {
  if (kind === undefined) {
    report(path, later);
    return;
  }
  if (kind.$case === 'regex') return void checkRegex(kind.value, path, report);
  checkCount(kind.value.length, longestText, path, report);
  if (kind.$case === 'segments' && !(kind.value === '/' || /^\/(.*[^/])?$/s.test(kind.value)))
    report(path, 'must begin with a slash, and end with none');
}

export function checkStringMatch({ kind }: StringMatch, path: string, report: Report): void {
  if (kind === undefined) {
    report(path, later);
    return;
  }
  if (kind.$case === 'regex') checkRegex(kind.value, path, report);
  else checkCount(kind.value.length, longestText, path, report);
}

function checkNamed({ name, value }: NamedMatch, path: string, report: Report): void {
  if (name === '') report(`${path}.name`, 'must not be empty');
  checkCount(name.length, longestText, `${path}.name`, report);
  if (value !== undefined) checkStringMatch(value, `${path}.value`, report);
}

/** How many groups it has; undefined where it is none. */
export function checkRegex(pattern: string, path: string, report: Report): number | undefined {
  if (pattern.length > longestPattern) {
    report(path, `a regular expression must not be longer than ${longestPattern}`);
    return undefined;
  }
  try {
    return RE2JS.compile(pattern).groupCount();
  } catch (error) {
    report(path, `must be a regular expression of RE2: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

function checkLabels(labels: readonly Label[], path: string, report: Report): void {
  const seen = new Set<string>();
  for (const [i, { name }] of labels.entries()) {
    if (name === '') report(`${path}[${i}].name`, 'must not be empty');
    // Only one of two could be kept, and the rule would be wider.
    if (seen.has(name)) report(`${path}[${i}].name`, `${name} is there twice`);
    seen.add(name);
  }
}

export function checkL4Match({ destinationSubnets, sniHosts, sourceLabels }: L4Match, path: string, report: Report): void {
  checkCount(destinationSubnets.length + sniHosts.length + sourceLabels.length, mostConditions, path, report);
  for (const [i, cidr] of destinationSubnets.entries()) {
    if (!isCidr(cidr)) report(`${path}.destinationSubnets[${i}]`, 'must be ADDRESS/BITS');
  }
  for (const [i, host] of sniHosts.entries()) {
    if (!/^(\*|(\*\.)?[^*]+)$/.test(host)) report(`${path}.sniHosts[${i}]`, 'must be exact, `*.suffix` or `*`');
  }
  checkLabels(sourceLabels, `${path}.sourceLabels`, report);
}
