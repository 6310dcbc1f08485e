/** Names are exact, `*.suffix` or `*`, in lower case. */
export function nameCovers(a: string, b: string): boolean {
  return a === '*' || a === b || (a.startsWith('*.') && b.endsWith(a.slice(1)));
}

/** What is in both, the narrower of each two. Empty `hosts`: any. */
export function namesWithin(name: string, hosts: readonly string[]): readonly string[] {
  if (hosts.length === 0) return [name];
  return [...new Set(hosts.flatMap((host) => (nameCovers(host, name) ? [name] : nameCovers(name, host) ? [host] : [])))];
}
