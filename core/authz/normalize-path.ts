/**
 * A path as Envoy makes it with normalize_path, merge_slashes and UNESCAPE_AND_FORWARD, so that whoever decides by it, forwards it and
 * serves it reads the same: escaped slashes and backslashes are slashes, `.` and `..` are gone, what need not be escaped is not, and
 * slashes are single. The query stays as it is. Undefined: no such path is served. Pure.
 */
export function normalizePath(target: string): string | undefined {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  if (!/^\/[\x21-\x7e]*$/.test(path) || path.includes('#')) return undefined;
  if (plain.test(path)) return target;
  const decoded = decode(path.replaceAll(/%2f/gi, '/').replaceAll(/%5c/gi, '\\'));
  if (decoded === undefined) return undefined;
  const merged = withoutDots(decoded).replaceAll(/\/{2,}/g, '/');
  return mark < 0 ? merged : merged + target.slice(mark);
}

/** Nothing to be done: no escapes, no doubled slashes, no segment of dots alone. */
const plain = /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~!$&'()*+,;:@=-]+)*\/?$/;

function decode(path: string): string | undefined {
  if (/%00/.test(path)) return undefined;
  return path
    .replaceAll('\\', '/')
    .replaceAll(/%([0-9a-fA-F]{2})/g, (escaped, hex: string) => {
      const character = String.fromCharCode(Number.parseInt(hex, 16));
      return /[A-Za-z0-9._~-]/.test(character) ? character : escaped;
    })
    .replaceAll(/["<>^`{|}]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** RFC 3986 §5.2.4; an empty segment counts as one. */
function withoutDots(path: string): string {
  const segments = path.split('/').slice(1);
  const kept: string[] = [];
  for (const [i, segment] of segments.entries()) {
    if (segment === '..') kept.pop();
    else if (segment !== '.') kept.push(segment);
    if ((segment === '..' || segment === '.') && i === segments.length - 1) kept.push('');
  }
  return `/${kept.join('/')}`;
}
