/** What a folder holds, by name; both sorted. Folders end in a slash. */
interface DocumentFolder {
  readonly read: readonly string[];
  /** Worth a word to whoever put it there: neither hidden nor what editors leave beside a file. */
  readonly leftOut: readonly string[];
}

/** Backups, locks and swap files of Emacs, Vim, Nano, Kate and what replaces files by renaming. */
const leavings = /(~|#|\.bak|\.orig|\.rej|\.tmp|\.sw[a-z])$|^4913$/;

/** Which of a folder's entries hold documents: every `.yaml`, `.yml` and `.json` (a JSON document is YAML), not hidden, not below it. */
export function documentFolder(entries: readonly { readonly name: string; isDirectory(): boolean }[]): DocumentFolder {
  const read: string[] = [];
  const leftOut: string[] = [];
  for (const entry of entries) {
    const { name } = entry;
    if (name.startsWith('.')) continue;
    if (entry.isDirectory()) leftOut.push(`${name}/`);
    else if (/\.(ya?ml|json)$/.test(name)) read.push(name);
    else if (!leavings.test(name)) leftOut.push(name);
  }
  return { read: read.sort(), leftOut: leftOut.sort() };
}

/** Tells of each name when it turns up, and again only after it has been away. */
export function tellNew(tell: (names: readonly string[]) => void): (names: readonly string[]) => void {
  let known: ReadonlySet<string> = new Set();
  return (names) => {
    const fresh = names.filter((name) => !known.has(name));
    known = new Set(names);
    if (fresh.length > 0) tell(fresh);
  };
}
