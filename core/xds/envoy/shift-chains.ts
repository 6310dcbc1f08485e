import { shiftSubset } from '../../config/index.ts';
import { FilterChain } from '../gen/envoy/config/listener/v3/listener_components.ts';
import { Matcher, Matcher_MatcherList_FieldMatcher } from '../gen/xds/type/matcher/v3/matcher.ts';
import { emptyConfig } from './any.ts';
import { take } from './chain-matcher.ts';
import { tcpProxy } from './filters.ts';
import type { L4Options, L4Rules } from './l4-chains.ts';

/*
 * Envoy has the weights of byte streams in the filter that carries them, and ends what a filter chain carries within its drain time when that
 * chain changes. Here each side of a shift has a chain that never changes, and what changes is which of them takes a connection. Of what Envoy
 * can look at there, the port that a caller's kernel has picked is what comes nearest to chance.
 */

export interface ShiftChains {
  readonly filterChains: FilterChain[];
  readonly filterChainMatcher: Matcher;
}

/** Of a listener whose only rule is that of a shift; undefined of any other. */
export function shiftChains({ l4 }: L4Rules, { listener, statPrefix, traffic }: L4Options): ShiftChains | undefined {
  const [rule, second] = l4;
  if (rule === undefined || second !== undefined || rule.byHash !== true || rule.matches.length > 0) return undefined;
  const [to, from] = [shiftSubset.to, shiftSubset.from].map((side) => sideOf(rule.destinations[0]?.destination.cluster ?? '', side));
  const clusters = rule.destinations.map(({ destination }) => destination.cluster);
  if (to === undefined || from === undefined || clusters.some((cluster) => cluster !== to && cluster !== from)) return undefined;
  const sum = rule.destinations.reduce((total, { weight }) => total + weight, 0);
  const weight = rule.destinations.find(({ destination }) => destination.cluster === to)?.weight ?? 0;
  return {
    filterChains: [to, from].map((cluster) =>
      FilterChain.create({ name: cluster, filters: [tcpProxy({ listener, statPrefix, cluster, traffic, counted: 'caller' })] }),
    ),
    filterChainMatcher: byPort(partOf(weight, sum), to, from),
  };
}

function sideOf(cluster: string, side: string): string | undefined {
  const [kind, port, subset = '', host] = cluster.split('|');
  return (Object.values(shiftSubset) as string[]).includes(subset) ? [kind, port, side, host].join('|') : undefined;
}

const parts = 500;

/** Of 500; none and all are exact. */
function partOf(weight: number, sum: number): number {
  if (weight === 0 || weight === sum) return weight === 0 ? 0 : parts;
  return Math.min(parts - 1, Math.max(1, Math.round((weight / sum) * parts)));
}

/**
 * Ports are given out one after the other, and Linux gives callers every second one: so two neighbours count as one, and the last digit of a port counts the most,
 * which spreads a side's share over all connections.
 */
export function portsOf(part: number): string {
  const [pair, tens, hundreds] = [Math.floor(part / 100), Math.floor(part / 10) % 10, part % 10];
  const last = `[${2 * pair}${2 * pair + 1}]`;
  const below = (digit: number) => (digit === 1 ? '0' : `[0-${digit - 1}]`);
  const choices = [
    ...(pair > 0 ? [`.*${below(2 * pair)}`] : []),
    ...(tens > 0 ? [`.*${below(tens)}${last}`] : []),
    ...(hundreds > 0 ? [`.*${below(hundreds)}${tens}${last}`] : []),
  ];
  return choices.length === 0 ? 'none' : choices.join('|');
}

function byPort(part: number, to: string, from: string): Matcher {
  const regex = part === parts ? '.*' : portsOf(part);
  const matchPattern = { $case: 'safeRegex' as const, value: { engineType: { $case: 'googleRe2' as const, value: {} }, regex } };
  const matcher = { $case: 'valueMatch' as const, value: { matchPattern, ignoreCase: false } };
  const predicate = { matchType: { $case: 'singlePredicate' as const, value: { input: sourcePort, matcher } } };
  const matchers = [Matcher_MatcherList_FieldMatcher.create({ predicate, onMatch: take(to) })];
  return Matcher.create({ matcherType: { $case: 'matcherList', value: { matchers } }, onNoMatch: take(from) });
}

const sourcePort = {
  name: 'source_port',
  typedConfig: emptyConfig('envoy.extensions.matching.common_inputs.network.v3.SourcePortInput'),
};
