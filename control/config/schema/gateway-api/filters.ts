import { z } from 'zod';
import type { DestinationRef, Mirror } from '../../../../core/traffic/index.ts';
import { didYouMean, fields } from '../../../../core/yaml/index.ts';
import { across, listOf, oneFieldOf, present, type Report, type Written } from '../across.ts';
import { later, noted, refused } from '../refused.ts';
import { cors } from './cors.ts';
import { headerModifier } from './header-modifier.ts';
import { redirect, urlRewrite } from './path-modifier.ts';
import { backendObject, toBackend } from './references.ts';

const mirror = oneFieldOf(
  fields({
    backendRef: backendObject,
    percent: z.int().min(0).max(100).optional(),
    fraction: across(fields({ numerator: z.int().min(0), denominator: z.int().min(1).default(100) }), (value, report) => {
      const { numerator, denominator = 100 } = value;
      if (typeof numerator === 'number' && typeof denominator === 'number' && numerator > denominator)
        report(['numerator'], `must not be above the denominator, ${denominator}`);
    }).optional(),
  }),
  ['percent', 'fraction'],
  0,
);

/** Each type of filter, and the field that it has. */
const fieldOfType: Readonly<Record<string, string>> = {
  RequestHeaderModifier: 'requestHeaderModifier',
  ResponseHeaderModifier: 'responseHeaderModifier',
  RequestMirror: 'requestMirror',
  RequestRedirect: 'requestRedirect',
  URLRewrite: 'urlRewrite',
  CORS: 'cors',
  ExtensionRef: 'extensionRef',
  ExternalAuth: 'externalAuth',
};

const headerFilters = { requestHeaderModifier: headerModifier.optional(), responseHeaderModifier: headerModifier.optional() };
const unknown = { extensionRef: refused('there are no filters but those of the Gateway API itself') };
const auth = { externalAuth: later('external authorisation') };

function filter<S extends z.ZodRawShape>(shape: S, types: readonly [string, ...string[]], not: readonly string[]) {
  const note = not.length === 0 ? '' : `${not.join(', ')}: as their fields`;
  const type = noted(z.string(), note).superRefine((text, ctx) => {
    if (types.includes(text) || not.includes(text)) return;
    ctx.addIssue({
      code: 'custom',
      message: `${JSON.stringify(text.slice(0, 40))} is none of ${types.join(', ')}${didYouMean(text, types)}`,
    });
  });
  return across(fields({ type, ...shape }), (value, report) => {
    const wanted = fieldOfType[String(value['type'])];
    if (wanted === undefined || !(wanted in shape)) return;
    if (value[wanted] === undefined) report([wanted], `is required with type ${String(value['type'])}`);
    for (const field of present(value, Object.values(fieldOfType)))
      if (field !== wanted && field in shape) report([field], `means nothing with type ${String(value['type'])}`);
  });
}

const onRule = 'write it as a filter of the rule, for all of its backends';

/** HTTPRouteFilter of a rule. */
export const httpFilter = filter(
  {
    ...headerFilters,
    requestMirror: mirror.optional(),
    requestRedirect: redirect.optional(),
    urlRewrite: urlRewrite.optional(),
    cors: cors.optional(),
    ...unknown,
    ...auth,
  },
  ['RequestHeaderModifier', 'ResponseHeaderModifier', 'RequestMirror', 'RequestRedirect', 'URLRewrite', 'CORS'],
  ['ExtensionRef', 'ExternalAuth'],
);

/** HTTPRouteFilter of a backend. */
export const httpBackendFilter = filter(
  {
    ...headerFilters,
    requestMirror: refused(onRule),
    requestRedirect: refused(onRule),
    urlRewrite: refused(onRule),
    cors: refused(onRule),
    ...unknown,
    ...auth,
  },
  ['RequestHeaderModifier', 'ResponseHeaderModifier'],
  ['RequestMirror', 'RequestRedirect', 'URLRewrite', 'CORS', 'ExtensionRef', 'ExternalAuth'],
);

/** GRPCRouteFilter of a rule, and of a backend. */
export const grpcFilter = filter(
  { ...headerFilters, requestMirror: mirror.optional(), ...unknown },
  ['RequestHeaderModifier', 'ResponseHeaderModifier', 'RequestMirror'],
  ['ExtensionRef'],
);
export const grpcBackendFilter = filter(
  { ...headerFilters, requestMirror: refused(onRule), ...unknown },
  ['RequestHeaderModifier', 'ResponseHeaderModifier'],
  ['RequestMirror', 'ExtensionRef'],
);

/** All but mirrors are there once. */
export function checkFilters(value: Written, report: Report): void {
  const types = listOf(value['filters']).map((each) => (each as Written | null)?.['type']);
  types.forEach((type, i) => {
    if (typeof type === 'string' && type !== 'RequestMirror' && types.indexOf(type) < i)
      report(['filters', i, 'type'], `is there already, in filters[${types.indexOf(type)}]`);
  });
  if (types.includes('RequestRedirect') && types.includes('URLRewrite'))
    report(['filters'], 'must not hold both RequestRedirect and URLRewrite');
}

type WrittenFilter = z.output<typeof httpFilter>;

export function toMirrors(filters: readonly Pick<WrittenFilter, 'requestMirror'>[], own: string): Mirror<DestinationRef>[] {
  return filters.flatMap(({ requestMirror: written }) => {
    if (written === undefined) return [];
    const { percent, fraction } = written;
    const share = percent ?? (fraction === undefined ? 100 : (100 * fraction.numerator) / fraction.denominator);
    return [{ destination: toBackend(written.backendRef, own), percent: share }];
  });
}
