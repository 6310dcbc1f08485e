import type { HeaderChanges } from '../../core/traffic/index.ts';

export interface ChangedHeaders {
  readonly headers: readonly string[];
  /** Set where the changes set Host. */
  readonly authority?: string;
}

/** As Envoy: what is removed goes first, then what replaces, then what is added. Names of `headers` in lower case. Pure. */
export function changeHeaders(headers: readonly string[], changes: HeaderChanges | undefined): ChangedHeaders {
  if (changes === undefined) return { headers };
  const { set, add, remove } = changes;
  const gone = new Set(remove);
  for (const [name] of set) gone.add(name.toLowerCase());
  const kept: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) if (!gone.has(headers[i] ?? '')) kept.push(headers[i] ?? '', headers[i + 1] ?? '');
  let authority: string | undefined;
  for (const [name, value] of set) {
    const lower = name.toLowerCase();
    if (lower === 'host' || lower === ':authority') authority = value;
    else kept.push(lower, value);
  }
  for (const [name, value] of add) {
    const lower = name.toLowerCase();
    // There is one Host: to add is to replace.
    if (lower === 'host' || lower === ':authority') authority = value;
    else kept.push(lower, value);
  }
  return authority === undefined ? { headers: kept } : { headers: kept, authority };
}
