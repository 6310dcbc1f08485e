import type { z } from 'zod';
import type { Violation } from '../validate.ts';
import type { ConfigDocument } from './config-document.ts';

/** Everything a schema found, with the line it stands on and without the words of the schema library. */
export function toViolations(document: ConfigDocument, at: readonly PropertyKey[], issues: readonly z.core.$ZodIssue[]): Violation[] {
  return issues.flatMap((issue) => {
    const path = [...at, ...issue.path];
    if (issue.code !== 'unrecognized_keys') return [violation(document, path, wording(issue))];
    const lines = issue.message.split('\n');
    return issue.keys.map((key, i) => violation(document, [...path, key], lines[i] ?? 'unknown field'));
  });
}

export function violation(document: ConfigDocument, path: readonly PropertyKey[], message: string): Violation {
  return { path: formatPath([...(document.within ?? []), ...path]), message, file: document.file, line: document.lineOf(path) };
}

function wording(issue: z.core.$ZodIssue): string {
  if (issue.input === undefined && issue.code !== 'custom') return 'is required';
  switch (issue.code) {
    case 'invalid_type':
      if (!issue.message.startsWith('Invalid')) return issue.message;
      return `must be ${nameOfType(issue.expected)}, not ${describe(issue.input)}${inQuotes(issue.expected, issue.input)}`;
    case 'invalid_value':
      return issue.message.startsWith('Invalid')
        ? `must be ${issue.values.map(String).join(' or ')}, not ${describe(issue.input)}`
        : issue.message;
    case 'too_small':
      return issue.message.startsWith('Too') ? `must be at least ${issue.minimum}, not ${describe(issue.input)}` : issue.message;
    case 'too_big':
      return issue.message.startsWith('Too') ? `must be at most ${issue.maximum}, not ${describe(issue.input)}` : issue.message;
    default:
      return issue.message;
  }
}

/** YAML reads `version: 1` as a number. */
function inQuotes(expected: string, input: unknown): string {
  if (expected !== 'string' || (typeof input !== 'number' && typeof input !== 'boolean')) return '';
  return ': write it in quotes';
}

function nameOfType(expected: string): string {
  const names: Record<string, string> = {
    object: 'a map of fields',
    array: 'a list',
    int: 'a whole number',
    record: 'a map',
    boolean: 'true or false',
  };
  return names[expected] ?? `a ${expected}`;
}

/** Enough to find the mistake. Long text is left out: it may be a secret in the wrong place. */
function describe(input: unknown): string {
  if (input === null) return 'nothing';
  if (Array.isArray(input)) return 'a list';
  if (typeof input === 'object') return 'a map';
  const text = JSON.stringify(input);
  return text.length <= 40 ? text : `a text of ${text.length} characters`;
}

function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    return text === '' ? String(step) : `${text}.${String(step)}`;
  }, '');
}
