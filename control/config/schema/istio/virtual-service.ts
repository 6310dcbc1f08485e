import { z } from 'zod';
import type { RouteParent, RouteSpec } from '../../../../core/config/index.ts';
import type { L4Match } from '../../../../core/traffic/index.ts';
import { fields } from '../../../../core/yaml/index.ts';
import type { SpecContext } from '../../kinds/row.ts';
import { across, listOf, present, type Report, type Written } from '../across.ts';
import { refused } from '../refused.ts';
import { checkWeights, l4Destination, toDestination } from './http-action.ts';
import { httpRoute, toRouteRule } from './http-route.ts';
import { exportTo, host, hostFault, labels, portNumber, subnet } from './values.ts';

const l4Match = {
  destinationSubnets: z.array(subnet).default([]),
  port: portNumber.optional(),
  sourceLabels: labels.default({}),
  sourceNamespace: z.string().min(1).optional(),
  gateways: z.array(z.string().min(1)).default([]),
};

const sniHost = z.string().superRefine((text, ctx) => {
  const fault = hostFault(text);
  if (fault !== undefined) ctx.addIssue({ code: 'custom', message: fault });
});

const sniHosts = z.array(sniHost).min(1, { error: 'must name at least one host' });
const l4Route = z.array(l4Destination).min(1, { error: 'must name at least one destination' });

function weighed<S extends z.ZodType>(schema: S): S {
  return across(schema, (value, report) => checkWeights(value['route'], (message) => report(['route'], message)));
}

const tcpMatch = fields({
  ...l4Match,
  sourceSubnet: refused('by source address nobody is known here: use sourceLabels or sourceNamespace'),
});
const tcpRoute = weighed(fields({ match: z.array(tcpMatch).default([]), route: l4Route }));
const tlsMatch = fields({ ...l4Match, sniHosts });
const tlsRoute = weighed(fields({ match: z.array(tlsMatch).min(1, { error: 'must hold a match, with sniHosts' }), route: l4Route }));

const gatewayName = z.string().regex(/^(mesh|([a-z0-9.-]+\/)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?)$/, {
  error: 'must be mesh, the name of a Gateway, or NAMESPACE/NAME',
});

/** Istio's VirtualService. Without hosts it is one that others delegate to. */
export const virtualServiceSchema = across(
  fields({
    hosts: z.array(host).default([]),
    gateways: z.array(gatewayName).default([]),
    http: z.array(httpRoute).default([]),
    tls: z.array(tlsRoute).default([]),
    tcp: z.array(tcpRoute).default([]),
    exportTo,
  }),
  (value, report) => {
    if (['http', 'tls', 'tcp'].every((kind) => listOf(value[kind]).length === 0)) report([], 'must hold a rule: http, tls or tcp');
    if (listOf(value['hosts']).length === 0) checkDelegate(value, report);
    else checkHosts(value, report);
  },
);

function checkDelegate(value: Written, report: Report): void {
  for (const field of ['gateways', 'tls', 'tcp']) {
    if (listOf(value[field]).length > 0) report([field], 'means nothing without hosts: what others delegate to has http rules alone');
  }
  listOf(value['http']).forEach((rule, i) => {
    if (present(rule, ['delegate']).length > 0) report(['http', i, 'delegate'], 'must not delegate on: one step is all');
  });
}

function checkHosts(value: Written, report: Report): void {
  // What is no text has been refused as that.
  const said = listOf(value['hosts']);
  const hosts = said.filter((name) => typeof name === 'string');
  const gateways = listOf(value['gateways']);
  const inMesh = gateways.length === 0 || gateways.includes('mesh');
  said.forEach((name, i) => {
    if (typeof name === 'string' && said.indexOf(name) < i) report(['hosts', i], `is there already, as hosts[${said.indexOf(name)}]`);
    if (name === '*' && inMesh) report(['hosts', i], 'must not be * inside the mesh: name the hosts, or bind to a Gateway by gateways');
  });
  listOf(value['tls']).forEach((route, i) => {
    listOf((route as Written | null)?.['match']).forEach((match, j) => {
      listOf((match as Written | null)?.['sniHosts']).forEach((name, k) => {
        if (typeof name !== 'string' || hosts.some((each) => covers(each, name))) return;
        report(['tls', i, 'match', j, 'sniHosts', k], `is none of hosts: ${hosts.join(', ')}`);
      });
    });
  });
}

function covers(pattern: string, name: string): boolean {
  return pattern === '*' || pattern === name || (pattern.startsWith('*.') && name.endsWith(pattern.slice(1)));
}

/** `mesh`, or NAMESPACE/NAME. */
function spellGateway(name: string, namespace: string): string {
  if (name === 'mesh') return name;
  const [before = '', after] = name.split('/');
  if (after !== undefined) return `${before === '.' ? namespace : before}/${after}`;
  // The old form, NAME.NAMESPACE.svc.cluster.local.
  const [first = '', second] = before.split('.');
  return `${second ?? namespace}/${first}`;
}

export function toVirtualService(spec: z.output<typeof virtualServiceSchema>, context: SpecContext): RouteSpec {
  const { namespace, createdAt } = context;
  const gateway = (name: string) => spellGateway(name, namespace);
  const prefix = `${namespace}/${context.name}`;
  const names = spec.http.map((rule) => rule.name);
  const nameOf = (i: number): string => {
    const said = names[i];
    return `${prefix}/${said === undefined || names.indexOf(said) !== i ? `${said ?? 'http'}-${i}` : said}`;
  };
  const l4 = (['tls', 'tcp'] as const).flatMap((type) =>
    spec[type].flatMap((route, i) => toL4(type, route, `${prefix}/${type}-${i}`, gateway)),
  );
  return {
    origin: 'VirtualService',
    hosts: spec.hosts,
    parents: spec.hosts.length === 0 ? [] : parentsOf(spec.gateways.map(gateway)),
    http: spec.http.map((rule, i) => toRouteRule(rule, nameOf(i), namespace, gateway)),
    l4,
    exportTo: spec.exportTo,
    createdAt,
  };
}

function parentsOf(gateways: readonly string[]): RouteParent[] {
  return (gateways.length === 0 ? ['mesh'] : gateways).map((each) => {
    const [namespace = '', name = ''] = each.split('/');
    return each === 'mesh' ? { type: 'mesh' } : { type: 'gateway', namespace, name };
  });
}

type L4 = RouteSpec['l4'][number];
type WrittenL4 = z.output<typeof tcpRoute> | z.output<typeof tlsRoute>;

/** One rule a match: the port and the gateways that Istio names in a match are conditions of the rule here. */
function toL4(type: L4['type'], route: WrittenL4, name: string, gateway: (name: string) => string): L4[] {
  const destinations = route.route.map((each) => ({ destination: toDestination(each.destination), weight: each.weight ?? 0 }));
  if (route.match.length === 0) return [{ type, name, matches: [], ports: [], gateways: [], destinations }];
  return route.match.map((match, i) => {
    const { port, sourceNamespace } = match;
    const found: L4Match = {
      destinationSubnets: match.destinationSubnets,
      sniHosts: 'sniHosts' in match ? (match.sniHosts as readonly string[]) : [],
      sourceLabels: match.sourceLabels,
      ...(sourceNamespace === undefined ? {} : { sourceNamespace }),
    };
    const rule = route.match.length === 1 ? name : `${name}-${i}`;
    return {
      type,
      name: rule,
      matches: [found],
      ports: port === undefined ? [] : [port],
      gateways: match.gateways.map(gateway),
      destinations,
    };
  });
}
