import type { CorsPolicy } from '../../core/traffic/index.ts';
import type { RequestView } from './request-view.ts';
import { type StringTest, stringTest } from './string-match.ts';

export type CorsVerdict =
  /** No cross-origin request that is allowed: the application's answer goes as it is. */
  | { readonly kind: 'none' }
  /** Answered 200 with these headers, and the application is not asked. */
  | { readonly kind: 'preflight'; readonly headers: readonly string[] }
  /** These headers replace those of the application's answer. */
  | { readonly kind: 'actual'; readonly set: readonly (readonly [string, string])[] };

export type CorsCheck = (request: RequestView) => CorsVerdict;

const none: CorsVerdict = { kind: 'none' };

/** What Envoy's CORS filter does. Pure. */
export function corsCheck(policy: CorsPolicy): CorsCheck {
  const tests = policy.allowOrigins.map((each) => stringTest(each));
  return (request) => {
    const origin = request.header('origin');
    if (origin === undefined || origin === '') return none;
    const preflight = request.facts.method === 'OPTIONS' && (request.header('access-control-request-method') ?? '') !== '';
    if (!isAllowed(tests, origin)) {
      return preflight && policy.forwardNotMatching === false ? { kind: 'preflight', headers: preflightHeaders(policy) } : none;
    }
    const set = actualHeaders(policy, origin);
    if (!preflight) return { kind: 'actual', set };
    return { kind: 'preflight', headers: ['access-control-allow-origin', origin, ...preflightHeaders(policy), ...exposed(policy).flat()] };
  };
}

/** A matcher that takes `*` takes every origin. */
function isAllowed(tests: readonly StringTest[], origin: string): boolean {
  return tests.some((test) => test('*') || test(origin));
}

function actualHeaders(policy: CorsPolicy, origin: string): [string, string][] {
  const set: [string, string][] = [['access-control-allow-origin', origin]];
  if (policy.allowCredentials === true) set.push(['access-control-allow-credentials', 'true']);
  return [...set, ...exposed(policy)];
}

function exposed({ exposeHeaders }: CorsPolicy): [string, string][] {
  return exposeHeaders.length > 0 ? [['access-control-expose-headers', exposeHeaders.join(',')]] : [];
}

/** Whoever asks: what keeps an origin out is that it is not named. */
function preflightHeaders({ allowCredentials, allowMethods, allowHeaders, maxAgeS }: CorsPolicy): string[] {
  const headers: string[] = [];
  if (allowCredentials === true) headers.push('access-control-allow-credentials', 'true');
  if (allowMethods.length > 0) headers.push('access-control-allow-methods', allowMethods.join(','));
  if (allowHeaders.length > 0) headers.push('access-control-allow-headers', allowHeaders.join(','));
  if (maxAgeS !== undefined) headers.push('access-control-max-age', String(maxAgeS));
  return headers;
}
