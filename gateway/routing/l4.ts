import { BlockList, isIPv6 } from 'node:net';
import type { ClusterRef, L4Match, Routing, WeightedDestination } from '../../core/traffic/index.ts';
import { ByDomain } from './by-domain.ts';
import { isFrom, type ProxyNode } from './http-match.ts';

/** What rules may know of a connection. */
export interface ConnectionFacts {
  /** Where it was dialled. */
  readonly address: string;
  /** Lower case; empty: none was sent, or none is known. */
  readonly sni: string;
}

export interface L4Choice {
  readonly name: string;
  readonly destinations: readonly WeightedDestination<ClusterRef>[];
  readonly byHash?: true;
}

type L4Test = (connection: ConnectionFacts) => boolean;

/** The first rule that matches. Pure; compiled once. */
export function l4Matcher(routing: Routing, node: ProxyNode): (connection: ConnectionFacts) => L4Choice | undefined {
  const rules = routing.l4.map((rule) => ({
    rule,
    always: rule.matches.length === 0,
    tests: rule.matches.filter((match) => isFrom(match, node)).map(l4Test),
  }));
  return (connection) => rules.find(({ always, tests }) => always || tests.some((test) => test(connection)))?.rule;
}

function l4Test({ destinationSubnets, sniHosts }: L4Match): L4Test {
  const subnets = new BlockList();
  for (const cidr of destinationSubnets) addSubnet(subnets, cidr);
  const hosts = new ByDomain(sniHosts.map((host) => [host, true] as const));
  return ({ address, sni }) => {
    if (destinationSubnets.length > 0 && !subnets.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')) return false;
    return sniHosts.length === 0 || hosts.find(sni) === true;
  };
}

/** Written by the control plane, which checked it; what cannot be read holds nobody. */
function addSubnet(list: BlockList, cidr: string): void {
  const [address = '', bits] = cidr.split('/');
  const family = isIPv6(address) ? 'ipv6' : 'ipv4';
  try {
    list.addSubnet(address, bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits), family);
  } catch {
    // Nobody.
  }
}
