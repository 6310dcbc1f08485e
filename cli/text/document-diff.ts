import { stringify } from 'yaml';

const context = 3;
/** Longer documents are shown one after the other: comparing costs the product of their lengths. */
const mostLines = 2000;

/** Pure: two documents as YAML, line by line: `-` was, `+` is, with some lines around each change. */
export function documentDiff(before: unknown, after: unknown): string {
  const [old, now] = [linesOf(before), linesOf(after)];
  const marked = old.length > mostLines || now.length > mostLines ? replaced(old, now) : compared(old, now);
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

function replaced(old: readonly string[], now: readonly string[]): string[] {
  return [...old.map((l) => `- ${l}`), ...now.map((l) => `+ ${l}`)];
}

/** By the longest common subsequence. */
function compared(old: readonly string[], now: readonly string[]): string[] {
  const width = now.length + 1;
  const longest = new Uint16Array((old.length + 1) * width);
  const at = (i: number, j: number) => longest[i * width + j] ?? 0;
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      longest[i * width + j] = old[i] === now[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: string[] = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) {
      lines.push(`  ${old[i]}`);
      i += 1;
      j += 1;
    } else if (j >= now.length || (i < old.length && at(i + 1, j) >= at(i, j + 1))) lines.push(`- ${old[i++]}`);
    else lines.push(`+ ${now[j++]}`);
  }
  return lines;
}
