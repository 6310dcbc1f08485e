import { RE2JS } from 're2js';
import { z } from 'zod';

/** What rules put into messages must be what HTTP carries: nobody could be sent the rest, and proxies refuse to. */

export const inPath = /^[\x21-\x7e]*$/;
export const unsaid = 'must be visible ASCII without blanks, as HTTP carries it: a blank is written %20';

/** `notAPath`: what is said of what begins with no slash. */
export function pathText(notAPath: string) {
  return z.string().startsWith('/', { error: notAPath }).regex(inPath, { error: unsaid });
}

const hostPort = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?$/;

export function authorityFault(text: string): string | undefined {
  return hostPort.test(text) ? undefined : 'must be a host, alone or with :PORT';
}

export const authority = z.string().regex(hostPort, { error: 'must be a host, alone or with :PORT' });

/** What a header's value may not hold; undefined: nothing of that. */
export function headerTextFault(value: string): string | undefined {
  return /^[\t\x20-\x7e]*$/.test(value) ? undefined : 'must be visible ASCII, blanks and tabs, as HTTP carries it';
}

/** What is wrong with a rewrite of what `pattern` matches, as RE2 reads it; undefined: nothing. */
export function substitutionFault(pattern: string, substitution: string): string | undefined {
  for (const [, escaped = ''] of substitution.matchAll(/\\(.?)/gs)) {
    if (escaped === '\\') continue;
    if (!/^[0-9]$/.test(escaped)) return '`\\` must be followed by a digit, which names a group, or by `\\`';
    const groups = groupsOf(pattern);
    if (groups !== undefined && Number(escaped) > groups) return `there is no group \\${escaped} in match`;
  }
  return undefined;
}

/** Undefined: it is no pattern, which is said elsewhere. */
function groupsOf(pattern: string): number | undefined {
  try {
    return RE2JS.compile(pattern).groupCount();
  } catch {
    return undefined;
  }
}
