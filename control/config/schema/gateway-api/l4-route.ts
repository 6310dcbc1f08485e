import { z } from 'zod';
import type { L4RouteRule, RouteSpec } from '../../../../core/config/index.ts';
import { fields } from '../../../../core/yaml/index.ts';
import type { SpecContext } from '../../kinds/row.ts';
import { across } from '../across.ts';
import { checkParents, l4Backend, parentRefs, toBackend, toParents } from './references.ts';
import { defaultGateways, hostname, ruleNames, sectionName, withRuleNames } from './values.ts';

const backendRefs = z.array(l4Backend).min(1, { error: 'must name at least one service' }).max(16, { error: 'holds more than 16' });
const rules = z
  .array(fields({ name: sectionName.optional(), backendRefs }))
  .length(1, { error: 'must hold one rule: connections have nothing that several could be told by' });

/** TLSRoute. */
export const tlsRouteSchema = withRuleNames(
  across(
    fields({
      parentRefs,
      hostnames: z.array(hostname).min(1, { error: 'must name at least one host' }).max(16, { error: 'holds more than 16' }),
      rules,
      useDefaultGateways: defaultGateways,
    }),
    checkParents,
  ),
);

/** TCPRoute. */
export const tcpRouteSchema = withRuleNames(across(fields({ parentRefs, rules, useDefaultGateways: defaultGateways }), checkParents));

interface Spec {
  readonly parentRefs: z.output<typeof parentRefs>;
  readonly rules: z.output<typeof rules>;
}

export function toTlsRoute(spec: z.output<typeof tlsRouteSchema>, context: SpecContext): RouteSpec {
  return { ...toRoute('TLSRoute', 'tls', spec, spec.hostnames, context), hosts: spec.hostnames };
}

export function toTcpRoute(spec: z.output<typeof tcpRouteSchema>, context: SpecContext): RouteSpec {
  return toRoute('TCPRoute', 'tcp', spec, [], context);
}

function toRoute(
  origin: RouteSpec['origin'],
  type: L4RouteRule['type'],
  spec: Spec,
  sniHosts: readonly string[],
  { namespace, name, createdAt }: SpecContext,
): RouteSpec {
  const names = ruleNames(`${namespace}/${name}`, spec.rules);
  const l4 = spec.rules.map(
    (rule, i): L4RouteRule => ({
      type,
      name: names[i] ?? '',
      matches: sniHosts.length === 0 ? [] : [{ destinationSubnets: [], sniHosts, sourceLabels: {} }],
      ports: [],
      gateways: [],
      destinations: rule.backendRefs.map((each) => ({ destination: toBackend(each, namespace), weight: each.weight })),
    }),
  );
  return { origin, hosts: [], parents: toParents(spec.parentRefs, namespace), http: [], l4, exportTo: [], createdAt };
}
