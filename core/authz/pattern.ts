/** See AuthzMatch. No pattern matches the empty value: what was not proven is nobody's. */
export function matchesPattern(pattern: string, value: string): boolean {
  return value !== '' && isLike(pattern, value);
}

/** A text that must be equal, `*` for anything, or a text with `*` at its beginning or its end. */
export function isLike(pattern: string, value: string): boolean {
  if (pattern.endsWith('*')) return value.startsWith(pattern.slice(0, -1));
  if (pattern.startsWith('*')) return value.endsWith(pattern.slice(1));
  return pattern === value;
}

/** `**` for the last asterisk of a template is any number of segments, `*` one that is not empty: what each may hold. */
const segment = "[A-Za-z0-9._~%!$&'()+,;:@=-]";

export function isPathTemplate(pattern: string): boolean {
  return pattern.includes('{*}') || pattern.includes('{**}');
}

/** For RE2 and ECMAScript alike, the whole path. `{*}` is a segment that is not empty, `{**}` any number of them. */
export function pathTemplateRegex(template: string): string {
  return template
    .split(/(\{\*\*\}|\{\*\})/)
    .map((part) => (part === '{*}' ? `${segment}+` : part === '{**}' ? `(?:${segment}|/)*` : escapeRegex(part)))
    .join('');
}

/** Punctuation by its code: the result also stands in quotes, and in formats where `%` and brackets mean something. */
export function escapeRegex(text: string): string {
  return text
    .replaceAll(/[^A-Za-z0-9_/:.-]/g, (c) => (c <= '\x7f' ? `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}` : c))
    .replaceAll('.', '\\.');
}

interface RequestPrincipalPattern {
  readonly issuer: string;
  readonly subject: string;
}

/** ISSUER/SUBJECT as two patterns: issuers hold slashes themselves, so the last one counts, and a `*` stands in one of the two alone. */
export function requestPrincipalPattern(pattern: string): RequestPrincipalPattern {
  const slash = pattern.lastIndexOf('/');
  if (slash >= 0) return { issuer: pattern.slice(0, slash), subject: pattern.slice(slash + 1) };
  if (pattern.startsWith('*')) return { issuer: '*', subject: pattern };
  return pattern.endsWith('*') ? { issuer: pattern, subject: '*' } : { issuer: pattern, subject: '' };
}
