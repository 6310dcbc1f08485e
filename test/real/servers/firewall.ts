/** What the router between the sites lets through. Plain data; `renderFirewall` makes nftables rules of it. */
export interface Firewall {
  /** TCP ports that may be dialled from one site into another. */
  readonly ports: readonly number[];
  /** What becomes of everything else: silence, or an answer (TCP reset, ICMP for the rest). */
  readonly deny: 'drop' | 'reject';
  /** Pairs between which nothing passes at all, not even open connections; silent. */
  readonly cut: readonly (readonly [string, string])[];
  /** Sites that nobody can dial into from outside. Their open connections and their own dials go on. */
  readonly closed: readonly string[];
  /** Sites behind a NAT: what leaves one comes from the router's address on the way, and nothing is dialled into it. `subnet` as ADDRESS/BITS. */
  readonly natted: readonly { readonly site: string; readonly subnet: string }[];
}

/** The whole rule set, to be loaded in one transaction by `nft -f`: no packet ever meets a half-made one. Pure. */
export function renderFirewall(firewall: Firewall): string {
  const refuse = firewall.deny === 'drop' ? 'drop' : 'jump refuse';
  const rules = [
    ...firewall.cut.flatMap(([a, b]) => [`iifname ${quote(a)} oifname ${quote(b)} drop`, `iifname ${quote(b)} oifname ${quote(a)} drop`]),
    'ct state established,related accept',
    ...[...firewall.closed, ...firewall.natted.map(({ site }) => site)].map((site) => `oifname ${quote(site)} ${refuse}`),
    ...(firewall.ports.length > 0 ? [`tcp dport { ${firewall.ports.join(', ')} } ct state new accept`] : []),
    refuse,
  ];
  const lines = (indent: string, all: readonly string[]): string => all.map((line) => `${indent}${line}\n`).join('');
  return [
    'table inet isthmus\nflush table inet isthmus\n',
    'table inet isthmus {\n',
    '  chain refuse {\n    meta l4proto tcp reject with tcp reset\n    reject\n  }\n',
    `  chain forward {\n    type filter hook forward priority 0; policy drop;\n${lines('    ', rules)}  }\n`,
    '}\n',
    'table ip isthmus_nat\nflush table ip isthmus_nat\n',
    `table ip isthmus_nat {\n  chain postrouting {\n    type nat hook postrouting priority 100;\n${lines('    ', masquerade(firewall))}  }\n}\n`,
  ].join('');
}

function masquerade({ natted }: Firewall): readonly string[] {
  return natted.map(({ site, subnet }) => `ip saddr ${subnet} oifname != ${quote(site)} masquerade`);
}

function quote(name: string): string {
  return `"${name}"`;
}
