import { outermost } from './cidr.ts';
import type { CapturePlan } from './plan.ts';

/** Everything of ours is in this table, so removing it removes all. */
export const tableName = 'inet isthmus';

/** Without a sign of the agent for so long, what is not the mesh's alone goes where it was to go, s. */
const aliveS = 3;

/**
 * The ruleset, for `nft -f`: replaces what is there of ours in one transaction, and touches nothing else. Pure.
 *
 * 127.64.0.0/10 is always led to the agent: nobody else gives these addresses a meaning, and without the agent a program that
 * listens on all addresses would answer in a service's name. Other destinations are led there only while the agent sends its
 * sign of life, a datagram to its own port that is counted and dropped: a dead agent stops nobody.
 */
export function captureRules(plan: CapturePlan): string {
  const { port, agentUid, cidrs, inbound } = plan;
  const chains = [
    chain('alive', 'filter hook output priority filter', [
      `meta skuid ${agentUid} ip daddr 127.0.0.1 udp dport ${port} update @alive { meta nfproto timeout ${aliveS}s } drop`,
    ]),
    chain('outbound', 'nat hook output priority -100', [
      'meta l4proto != tcp return',
      `meta skuid ${agentUid} return`,
      `ip daddr 127.64.0.0/10 meta l4proto tcp redirect to :${port}`,
      ...(cidrs.length === 0 ? [] : outside(plan)),
    ]),
    ...(inbound.length === 0
      ? []
      : [
          chain(
            'inbound',
            'nat hook prerouting priority dstnat',
            inbound.map((each) => `iifname != "lo" fib daddr type local tcp dport ${each.port} redirect to :${each.to}`),
          ),
        ]),
  ];
  const alive = `  set alive {\n    typeof meta nfproto\n    flags dynamic,timeout\n    timeout ${aliveS}s\n    size 4\n  }\n`;
  return `table ${tableName}\ndelete table ${tableName}\ntable ${tableName} {\n${[alive, ...chains].join('\n')}}\n`;
}

/** In the order of who is asked first: what is left out, then what is taken. */
function outside({ port, cidrs, excludeCidrs, excludePorts, includeUids, excludeUids }: CapturePlan): string[] {
  return [
    'ip daddr 127.0.0.0/8 return',
    `tcp dport ${among([22, ...excludePorts])} return`,
    ...(excludeUids.length === 0 ? [] : [`meta skuid ${among(excludeUids)} return`]),
    ...(includeUids.length === 0 ? [] : [`meta skuid != ${among(includeUids)} return`]),
    ...(excludeCidrs.length === 0 ? [] : [`ip daddr ${among(outermost(excludeCidrs))} return`]),
    `ip daddr ${among(outermost(cidrs))} meta nfproto @alive meta l4proto tcp redirect to :${port}`,
  ];
}

function chain(name: string, type: string, rules: readonly string[]): string {
  return `  chain ${name} {\n    type ${type}; policy accept;\n${rules.map((rule) => `    ${rule}\n`).join('')}  }\n`;
}

/** An anonymous set. */
function among(values: readonly (string | number)[]): string {
  return `{ ${[...new Set(values)].join(', ')} }`;
}
