import { execFileSync } from 'node:child_process';

/** What the calls of a family are made from, where they go, and what is asked in their place. */
export interface Family {
  /** Only what comes from there is redirected, as only programs that are no agent are. */
  readonly caller: string;
  /** Of this machine: who listens there is called by whoever is not redirected. */
  readonly server: string;
  /** Nobody is there. */
  readonly closed: string;
  /** What a redirect of this machine's own calls leads to. */
  readonly loopback: string;
}

export const capturePort = 15_001;

export const families: { readonly ipv4: Family; readonly ipv6: Family } = {
  ipv4: { caller: '198.18.0.100', server: '198.18.0.7', closed: '198.19.0.9', loopback: '127.0.0.1' },
  ipv6: { caller: '2001:db8::100', server: '2001:db8::7', closed: '2001:db8:1::9', loopback: '::1' },
};

/** In a network namespace of the process's own: all TCP from callers, whatever its destination, is led to `capturePort`. */
export function redirectCallers(): void {
  const { ipv4, ipv6 } = families;
  const ip = (...args: readonly string[]) => execFileSync('ip', args);
  ip('link', 'set', 'lo', 'up');
  for (const { caller, server } of [ipv4, ipv6]) {
    for (const address of [caller, server]) ip('address', 'add', address, 'dev', 'lo', ...(address.includes(':') ? ['nodad'] : []));
  }
  // Whatever is nobody's is to be called, too.
  ip('route', 'add', 'default', 'dev', 'lo');
  ip('-6', 'route', 'add', 'default', 'dev', 'lo');
  const led = `meta l4proto tcp redirect to :${capturePort}`;
  const chain = `type nat hook output priority -100; ip saddr ${ipv4.caller} ${led}; ip6 saddr ${ipv6.caller} ${led};`;
  execFileSync('nft', [`table inet t { chain out { ${chain} }; }`]);
}
