import { randomBytes } from 'node:crypto';
import { type Firewall, renderFirewall } from './firewall.ts';
import { holdingRoute, ip, namespaces, removeNamespaces, run, sweepStale } from './namespace-commands.ts';
import { ownerTag } from './owner.ts';
import { closeReach, type Reach, reachFrom } from './reach.ts';

/** One machine of a site: a network namespace of its own, with its own loopback and ports. */
export interface Host {
  readonly name: string;
  readonly site: string;
  /** For `ip netns`, `inNamespace` and the `netns` option of the servers. */
  readonly netns: string;
  /** Its interface inside the namespace. */
  readonly interface: 'eth0';
  /** Its IPv4 address now; `readdress` changes it. */
  readonly address: string;
  /** `reboot` replaces it. */
  readonly reach: Reach;
}

export interface NetworkOptions {
  /** Names of the sites, and of each site's hosts. Hosts of one site reach each other on every port. */
  readonly sites: Readonly<Record<string, readonly string[]>>;
  /** TCP ports that cross between sites; peering (15012) and the east-west gateway (15443) unless said. */
  readonly ports?: readonly number[];
  /** What the router does with everything else; `drop` unless said. */
  readonly deny?: Firewall['deny'];
}

/** Sites joined by a router. No namespace has a way out of it: there is no link to the machine's own network. */
export interface Network {
  /** Throws for a name that is not there. */
  host(site: string, name: string): Host;
  /** Nothing passes between the two sites from now on, and nobody is told: neither FIN nor RST. */
  cut(a: string, b: string): Promise<void>;
  heal(a: string, b: string): Promise<void>;
  /** The links of all of the site's hosts go down at one moment: nothing leaves one or reaches it, and nobody is told. Addresses stay. */
  unplug(site: string): Promise<void>;
  plugIn(site: string): Promise<void>;
  /** From now on nobody can dial into the site from outside; it can still dial out. */
  blockInbound(site: string): Promise<void>;
  allowInbound(site: string): Promise<void>;
  /** From now on a NAT is between the site and all others: nobody can dial into it, and what it dials comes from the router. */
  behindNat(site: string): Promise<void>;
  /** The NAT forgets every connection through it: neither side is told. Links to the other sites blink meanwhile. */
  forgetNat(site: string): Promise<void>;
  setDeny(deny: Firewall['deny']): Promise<void>;
  /** Gives a host another address of its site; the old one is gone at once, with what was connected to it. Returns the new one. */
  readdress(host: Host): Promise<string>;
  /** The host's namespace is gone with all that was set in it, and made anew with the address and the MAC that it had, as by a reboot. End what runs in it first. */
  reboot(host: Host): Promise<void>;
  /** Removes all namespaces. End what runs in them first. Idempotent. */
  remove(): Promise<void>;
}

const FIRST_HOST = 10;

/** RFC 2544's range for tests: no real network uses it, so nothing that a test does by mistake can be meant for one. */
const RANGE = '198.18';

/** The router forwards; what stays inside a site's bridge is none of the firewall's business. */
const ROUTER_SETTINGS =
  'cd /proc/sys/net && echo 1 > ipv4/ip_forward && if [ -e bridge/bridge-nf-call-iptables ]; then echo 0 > bridge/bridge-nf-call-iptables; fi';

let swept: Promise<void> | undefined;

/** Makes the namespaces (needs root, iproute2 and nftables). A failed start has removed what it made, and so do later ones of killed tests. */
export async function createNetwork(options: NetworkOptions): Promise<Network> {
  swept ??= sweepStale();
  await swept;
  const network = new SiteNetwork(options);
  try {
    await network.create(options.sites);
  } catch (error) {
    await network.remove();
    throw error;
  }
  return network;
}

interface MutableHost extends Host {
  address: string;
  reach: Reach;
  /** The router's end of its link. */
  readonly link: string;
}

interface Subnet {
  readonly prefix: string;
  next: number;
  /** The router's ends of its hosts' links. */
  readonly links: string[];
}

class SiteNetwork implements Network {
  readonly #prefix = `isth-${ownerTag()}-${randomBytes(3).toString('hex')}`;
  readonly #router = `${this.#prefix}-router`;
  readonly #hosts = new Map<string, MutableHost>();
  readonly #subnets = new Map<string, Subnet>();
  #firewall: Firewall;
  /** One change of the rules at a time, in the order asked. */
  #loading: Promise<void> = Promise.resolve();

  constructor(options: NetworkOptions) {
    const ports = options.ports ?? [15012, 15443];
    this.#firewall = { ports, deny: options.deny ?? 'drop', cut: [], closed: [], natted: [] };
  }

  async create(sites: NetworkOptions['sites']): Promise<void> {
    await holdingRoute(async () => {
      // A dial from outside the namespaces must fail here and now, and not leave by the machine's default route.
      await ip('route', 'replace', 'unreachable', `${RANGE}.0.0/16`);
      await ip('netns', 'add', this.#router);
    });
    await ip('-n', this.#router, 'link', 'set', 'lo', 'up');
    await this.#load(this.#firewall);
    for (const [index, [site, hosts]] of Object.entries(sites).entries()) {
      const subnet: Subnet = { prefix: `${RANGE}.${index + 1}`, next: FIRST_HOST, links: [] };
      this.#subnets.set(site, subnet);
      await ip('-n', this.#router, 'link', 'add', 'name', site, 'type', 'bridge', 'forward_delay', '0');
      await ip('-n', this.#router, 'address', 'add', `${subnet.prefix}.1/24`, 'dev', site);
      await ip('-n', this.#router, 'link', 'set', site, 'up');
      for (const name of hosts) await this.#addHost(site, name, subnet);
    }
    await run('ip', ['netns', 'exec', this.#router, 'sh', '-c', ROUTER_SETTINGS]);
  }

  host(site: string, name: string): Host {
    const host = this.#hosts.get(`${site}/${name}`);
    if (host === undefined) throw new Error(`no host ${name} at ${site}; there are ${[...this.#hosts.keys()].join(', ')}`);
    return host;
  }

  cut(a: string, b: string): Promise<void> {
    return this.#change((now) => ({ ...now, cut: [...now.cut.filter((pair) => !isPair(pair, a, b)), [a, b]] }), a, b);
  }

  heal(a: string, b: string): Promise<void> {
    return this.#change((now) => ({ ...now, cut: now.cut.filter((pair) => !isPair(pair, a, b)) }), a, b);
  }

  unplug(site: string): Promise<void> {
    return this.#setLinks(site, 'down');
  }

  plugIn(site: string): Promise<void> {
    return this.#setLinks(site, 'up');
  }

  blockInbound(site: string): Promise<void> {
    return this.#change((now) => ({ ...now, closed: [...now.closed.filter((other) => other !== site), site] }), site);
  }

  allowInbound(site: string): Promise<void> {
    return this.#change((now) => ({ ...now, closed: now.closed.filter((other) => other !== site) }), site);
  }

  behindNat(site: string): Promise<void> {
    const { prefix } = this.#subnet(site);
    return this.#change((now) => ({ ...now, natted: [...now.natted, { site, subnet: `${prefix}.0/24` }] }), site);
  }

  async forgetNat(site: string): Promise<void> {
    // Without this it would take up again, in its midst, a connection of which the side within happens to speak first.
    await run('ip', ['netns', 'exec', this.#router, 'sh', '-c', 'echo 0 > /proc/sys/net/netfilter/nf_conntrack_tcp_loose']);
    // Masquerading forgets what left by an interface that goes down.
    const others = [...this.#subnets.keys()].filter((other) => other !== site);
    const lines = others.flatMap((other) => [`link set ${other} down\n`, `link set ${other} up\n`]);
    await run('ip', ['-n', this.#router, '-batch', '-'], lines.join(''));
  }

  setDeny(deny: Firewall['deny']): Promise<void> {
    return this.#change((now) => ({ ...now, deny }));
  }

  async readdress(host: Host): Promise<string> {
    const known = this.host(host.site, host.name) as MutableHost;
    const subnet = this.#subnet(host.site);
    const old = known.address;
    const address = `${subnet.prefix}.${subnet.next++}`;
    const on = ['-n', known.netns, 'address'];
    await ip(...on, 'del', `${old}/24`, 'dev', 'eth0');
    await ip(...on, 'add', `${address}/24`, 'dev', 'eth0');
    // The default route went with the last address.
    await ip('-n', known.netns, 'route', 'replace', 'default', 'via', `${subnet.prefix}.1`);
    known.address = address;
    return address;
  }

  async reboot(host: Host): Promise<void> {
    const known = this.host(host.site, host.name) as MutableHost;
    const mac = await this.#macOf(known.netns);
    closeReach(known.netns);
    await ip('netns', 'delete', known.netns);
    // A namespace that somebody is still in goes without its name; its link must not.
    await ip('-n', this.#router, 'link', 'delete', known.link).catch(() => undefined);
    await this.#plug(known.site, known, this.#subnet(known.site).prefix, mac);
    known.reach = reachFrom(known.netns);
  }

  async remove(): Promise<void> {
    await removeNamespaces((name) => name.startsWith(this.#prefix));
    await holdingRoute(async () => {
      if (!(await namespaces()).some((name) => name.startsWith('isth-')))
        await ip('route', 'delete', 'unreachable', `${RANGE}.0.0/16`).catch(() => undefined);
    });
  }

  async #addHost(site: string, name: string, subnet: Subnet): Promise<void> {
    const netns = `${this.#prefix}-${site}-${name}`;
    const number = subnet.next++;
    const link = `${this.#subnets.size}-${number}`;
    const place = { netns, address: `${subnet.prefix}.${number}`, link };
    await this.#plug(site, place, subnet.prefix);
    const host: MutableHost = { name, site, interface: 'eth0', ...place, reach: reachFrom(netns) };
    subnet.links.push(link);
    this.#hosts.set(`${site}/${name}`, host);
  }

  async #macOf(netns: string): Promise<string> {
    const [shown] = JSON.parse(await ip('-n', netns, '-json', 'link', 'show', 'eth0')) as { readonly address: string }[];
    if (shown === undefined) throw new Error(`${netns} has no eth0`);
    return shown.address;
  }

  /** `mac`: any, unless said. */
  async #plug(
    site: string,
    { netns, address, link }: Pick<MutableHost, 'netns' | 'address' | 'link'>,
    prefix: string,
    mac?: string,
  ): Promise<void> {
    await ip('netns', 'add', netns);
    await ip('-n', netns, 'link', 'set', 'lo', 'up');
    // Both ends are made inside the namespaces: nothing ever shows up in the machine's own.
    await ip('-n', this.#router, 'link', 'add', 'name', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', netns);
    await ip('-n', this.#router, 'link', 'set', link, 'master', site, 'up');
    if (mac !== undefined) await ip('-n', netns, 'link', 'set', 'eth0', 'address', mac);
    await ip('-n', netns, 'address', 'add', `${address}/24`, 'dev', 'eth0');
    await ip('-n', netns, 'link', 'set', 'eth0', 'up');
    await ip('-n', netns, 'route', 'add', 'default', 'via', `${prefix}.1`);
  }

  /** The router's ends: those in the namespaces would take the default routes with them. */
  async #setLinks(site: string, state: 'up' | 'down'): Promise<void> {
    const lines = this.#subnet(site).links.map((link) => `link set ${link} ${state}\n`);
    await run('ip', ['-n', this.#router, '-batch', '-'], lines.join(''));
  }

  #subnet(site: string): Subnet {
    const subnet = this.#subnets.get(site);
    if (subnet === undefined) throw new Error(`no site ${site}; there are ${[...this.#subnets.keys()].join(', ')}`);
    return subnet;
  }

  #change(change: (now: Firewall) => Firewall, ...sites: string[]): Promise<void> {
    for (const site of sites) this.#subnet(site);
    const next = change(this.#firewall);
    this.#firewall = next;
    return this.#load(next);
  }

  #load(firewall: Firewall): Promise<void> {
    const load = this.#loading.then(() => run('ip', ['netns', 'exec', this.#router, 'nft', '-f', '-'], renderFirewall(firewall)));
    this.#loading = load.then(
      () => undefined,
      () => undefined,
    );
    return load.then(() => undefined);
  }
}

function isPair([one, other]: readonly [string, string], a: string, b: string): boolean {
  return (one === a && other === b) || (one === b && other === a);
}
