import { z } from 'zod';
import type { RouteRule, RouteSpec } from '../../../../core/config/index.ts';
import type { HttpMatch, PathMatch } from '../../../../core/traffic/index.ts';
import { fields, oneOf } from '../../../../core/yaml/index.ts';
import type { SpecContext } from '../../kinds/row.ts';
import { across, present, type Report, type Written } from '../across.ts';
import { regex } from '../istio/string-match.ts';
import { checkFilters, grpcBackendFilter, grpcFilter, toMirrors } from './filters.ts';
import { toHeaderChanges } from './header-modifier.ts';
import { checkHeaders, headerMatches, toNamed } from './http-match.ts';
import { sessions } from './http-route.ts';
import { backendWith, checkParents, parentRefs, toBackend, toParents } from './references.ts';
import { defaultGateways, hostname, ruleNames, sectionName, withRuleNames } from './values.ts';

const exactForm = {
  service: [/^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/, 'must be the whole name of a service, such as shop.v1.Orders'],
  method: [/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a method, such as Get'],
} as const;

function checkMethod(value: Written, report: Report): void {
  if (present(value, ['service', 'method']).length === 0) report([], 'must hold service, method or both');
  for (const field of ['service', 'method'] as const) {
    const text = value[field];
    if (typeof text !== 'string') continue;
    const [form, fault] = exactForm[field];
    if (value['type'] === 'RegularExpression') {
      for (const { message } of regex.safeParse(text).error?.issues ?? []) report([field], message);
    } else if (!form.test(text)) report([field], fault);
  }
}

const method = across(
  fields({
    type: oneOf('Exact', 'RegularExpression').default('Exact'),
    service: z.string().max(1024).optional(),
    method: z.string().max(1024).optional(),
  }),
  checkMethod,
);

/** GRPCRouteMatch. */
const match = across(fields({ method: method.optional(), headers: headerMatches }), checkHeaders);

const backendRef = across(backendWith({ filters: z.array(grpcBackendFilter).max(16).default([]) }), checkFilters);

const rule = across(
  fields({
    name: sectionName.optional(),
    matches: z.array(match).max(64, { error: 'holds more than 64' }).default([]),
    filters: z.array(grpcFilter).max(16, { error: 'holds more than 16' }).default([]),
    backendRefs: z.array(backendRef).max(16, { error: 'holds more than 16' }).default([]),
    sessionPersistence: sessions,
  }),
  checkFilters,
);

/** GRPCRoute. */
export const grpcRouteSchema = withRuleNames(
  across(
    fields({
      parentRefs,
      hostnames: z.array(hostname).max(16, { error: 'holds more than 16' }).default([]),
      rules: z.array(rule).max(16, { error: 'holds more than 16' }).default([]),
      useDefaultGateways: defaultGateways,
    }),
    checkParents,
  ),
);

export function toGrpcRoute(spec: z.output<typeof grpcRouteSchema>, { namespace, name, createdAt }: SpecContext): RouteSpec {
  const names = ruleNames(`${namespace}/${name}`, spec.rules);
  return {
    origin: 'GRPCRoute',
    hosts: spec.hostnames,
    parents: toParents(spec.parentRefs, namespace),
    http: spec.rules.map((each, i) => toRule(each, names[i] ?? '', namespace)),
    l4: [],
    exportTo: [],
    createdAt,
  };
}

function toRule(written: z.output<typeof rule>, name: string, namespace: string): RouteRule {
  const { filters, backendRefs } = written;
  return {
    name,
    matches: written.matches.map(toMatch),
    conditions: written.matches.map(() => ({ ports: [], gateways: [] })),
    action:
      backendRefs.length === 0
        ? { type: 'direct', status: 500 }
        : {
            type: 'route',
            destinations: backendRefs.map((each) => ({
              destination: toBackend(each, namespace),
              weight: each.weight,
              ...toHeaderChanges(each.filters),
            })),
            mirrors: toMirrors(filters, namespace),
          },
    ...toHeaderChanges(filters),
  };
}

function toMatch(written: z.output<typeof match>): HttpMatch {
  const path = written.method === undefined ? undefined : toPath(written.method);
  return {
    ...(path === undefined ? {} : { path }),
    headers: written.headers.map((each) => toNamed(each, each.name.toLowerCase())),
    query: [],
    sourceLabels: {},
  };
}

/** gRPC asks for `/SERVICE/METHOD`. */
function toPath({ type, service, method: name }: z.output<typeof method>): PathMatch {
  if (type === 'RegularExpression') return { type: 'regex', value: `/(?:${service ?? '[^/]+'})/(?:${name ?? '[^/]+'})` };
  if (service === undefined) return { type: 'regex', value: `/[^/]+/${name}` };
  return name === undefined ? { type: 'prefix', value: `/${service}/` } : { type: 'exact', value: `/${service}/${name}` };
}
