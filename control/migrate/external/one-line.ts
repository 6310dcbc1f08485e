/** Text of somebody else's, in one line, and not longer than a status can bear. */
export function oneLine(text: unknown): string {
  const line = String(text)
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim();
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
}
