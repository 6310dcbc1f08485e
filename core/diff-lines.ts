/** Longer texts are shown one after the other: comparing costs the product of their lengths. */
const mostLines = 2000;

/** Pure: what leads from one text to another, by the longest common subsequence: lines begin with `- `, `+ ` or two blanks. */
export function diffLines(old: readonly string[], now: readonly string[]): string[] {
  if (old.length > mostLines || now.length > mostLines) return [...old.map((l) => `- ${l}`), ...now.map((l) => `+ ${l}`)];
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
