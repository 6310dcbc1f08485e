import { parseSniName } from '../../../core/model/index.ts';
import { findSniRule, type SniRule } from '../../../gateway/engine/index.ts';

const host = 'orders.shop.mesh.internal';
const named = (subset: string, port: number | string = 80, of = host) => `outbound_.${port}_.${subset}_.${of}`;

const texts = [
  named(''),
  named('v1'),
  named('gateway'),
  named('gateway_v1'),
  named('site_east_net-1_'),
  named('_'),
  named('', 1),
  named('', 65_535),
  named('', '00080'),
  named('', 0),
  named('', 65_536),
  named('', '000080'),
  named('', ''),
  named('', '+80'),
  named('', '8o'),
  named('v.1'),
  named('V1'),
  named('v1', 80, 'Orders.shop'),
  named('v1', 80, 'a_b.shop'),
  named('v1', 80, ''),
  named('v1', 80, '-.-'),
  named('v1', 80, 'h'.repeat(253)),
  named('v1', 80, 'h'.repeat(254)),
  `${named('v1')}\n`,
  ` ${named('v1')}`,
  'outbound_.80_.v1_',
  'outbound_.80_.',
  'outbound_.',
  'outbound|80||orders.shop.mesh.internal',
  'orders.shop.mesh.internal',
  '',
];

type Kind = 'passthrough' | 'end' | 'end-of-any-subset';
/** Names that have a rule, and names that are asked for. */
interface Look {
  readonly rules: Readonly<Record<string, Kind>>;
  readonly asked: readonly string[];
}

const from = 'isthmus-from';
const to = 'isthmus-to';
const sides = [named(from), named(to), named(`gateway_${from}`), named(`gateway_${to}`)];

const looks: readonly Look[] = [
  {
    rules: { [named('')]: 'end-of-any-subset', 'plain.example': 'passthrough' },
    asked: [
      named(''),
      named('v1'),
      named('v1', '080'),
      named('v1', 81),
      named('v1', 80, 'stock.shop'),
      named('gateway'),
      named('gateway_v1'),
    ].concat([named('gateways'), named('tunnel_v1'), ...sides, 'plain.example', 'v1.plain.example', '']),
  },
  { rules: { [named('')]: 'end' }, asked: [named(''), named('v1'), ...sides] },
  {
    rules: { [named('')]: 'passthrough', [named('gateway')]: 'end' },
    asked: [named('v1'), named('gateway'), named('gateway_v1'), ...sides],
  },
  { rules: { [named('')]: 'end-of-any-subset', [named(from)]: 'end' }, asked: [named(''), named('v1'), ...sides] },
  { rules: { [named('')]: 'passthrough', [named('gateway')]: 'end', [named(`gateway_${to}`)]: 'end' }, asked: sides },
  { rules: { [named('gateway')]: 'end-of-any-subset' }, asked: [named(''), named('v1'), named('gateway_v1'), ...sides] },
  { rules: { '': 'passthrough' }, asked: ['', named('v1')] },
];

export function sniNameVectors() {
  return {
    names: texts.map((text) => ({ text, target: parseSniName(text) ?? null })),
    rules: looks.map(({ rules, asked }) => ({ rules, found: Object.fromEntries(asked.map((name) => [name, foundAs(rules, name)])) })),
  };
}

/** The name of the rule that answers. */
function foundAs(rules: Look['rules'], name: string): string | null {
  const made = new Map(Object.entries(rules).map(([of, kind]) => [of, ruleOf(of, kind)]));
  const found = findSniRule(made, name);
  return [...made].find(([, rule]) => rule === found)?.[0] ?? null;
}

function ruleOf(clusterName: string, kind: Kind): SniRule {
  if (kind === 'passthrough') return { mode: 'passthrough', clusterName };
  const end = {
    mode: 'terminate',
    clusterName,
    protocol: 'tcp',
    authz: { name: '', rules: [] },
    end: { namespace: '', service: '' },
  } as const;
  return kind === 'end' ? end : { ...end, anySubset: true };
}
