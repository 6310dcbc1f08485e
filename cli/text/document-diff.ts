import { stringify } from 'yaml';
import { diffLines } from '../../core/diff-lines.ts';

const context = 3;

/** Pure: two documents as YAML, line by line: `-` was, `+` is, with some lines around each change. */
export function documentDiff(before: unknown, after: unknown): string {
  const marked = diffLines(linesOf(before), linesOf(after));
  const near = marked.map((_, i) => marked.slice(Math.max(0, i - context), i + context + 1).some((line) => !line.startsWith(' ')));
  const shown: string[] = [];
  for (const [i, line] of marked.entries()) {
    if (near[i] === true) shown.push(line);
    else if (i > 0 && near[i - 1] === true) shown.push('  ...');
  }
  return shown.join('\n');
}

function linesOf(document: unknown): string[] {
  return document === undefined ? [] : stringify(document, { lineWidth: 0 }).trimEnd().split('\n');
}
