/** A range of this process's memory, bytes. */
export interface Mapping {
  readonly at: bigint;
  readonly length: bigint;
}

/**
 * Where the file at `path` is mapped to be read or run, by what /proc/PID/smaps says: mappings in which not one page is the process's own, so that
 * whatever is let go of there comes back from the file as it was. One that a debugger or a probe of the kernel has written to is left out. Pure.
 */
export function cleanMappings(smaps: string, path: string): readonly Mapping[] {
  const found: Mapping[] = [];
  for (const part of smaps.split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/)) {
    const [, from, to, name] =
      /^([0-9a-f]+)-([0-9a-f]+) r-[x-]p [0-9a-f]+ \S+ [1-9][0-9]* +(\S.*)$/m.exec(part.slice(0, part.indexOf('\n'))) ?? [];
    if (from === undefined || to === undefined || name !== path || !/^Anonymous: +0 kB$/m.test(part) || !/^Swap: +0 kB$/m.test(part))
      continue;
    found.push({ at: BigInt(`0x${from}`), length: BigInt(`0x${to}`) - BigInt(`0x${from}`) });
  }
  return found;
}
