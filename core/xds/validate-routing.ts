import type { Violation } from '../validate.ts';
import type {
  Fault,
  HeaderChanges,
  HttpRule,
  L4Rule,
  RedirectAction,
  RetryPolicy,
  Rewrite,
  RouteAction,
  Routing,
  VirtualHost,
  WeightedDestination,
} from './gen/isthmus/native/v1/routing.ts';
import { checkCount, checkPercent, collect, isPort, type Report } from './report.ts';
import { checkHttpMatch, checkL4Match, checkRegex, checkStringMatch } from './validate-match.ts';

/** Of one Routing resource; what is larger is refused. */
const limits = {
  domains: 16_384,
  rules: 16_384,
  matches: 1_024,
  destinations: 256,
  mirrors: 16,
  headers: 256,
  bodyBytes: 1024 * 1024,
  attempts: 255,
} as const;

/** Envoy's bound: weights of one rule sum to no more. */
const mostWeight = 4_294_967_295;
const later = 'must be set; maybe a kind that this version does not know';

export function checkRouting(routing: Routing): readonly Violation[] {
  return collect((report) => {
    if (routing.name === '') report('name', 'must not be empty');
    for (const [i, word] of routing.requires.entries()) report(`requires[${i}]`, `${word} is not known to this version`);
    checkCount(total(routing.virtualHosts.map((host) => host.rules.length)) + routing.l4.length, limits.rules, 'rules', report);
    checkDomains(routing.virtualHosts, report);
    for (const [i, host] of routing.virtualHosts.entries()) {
      for (const [j, rule] of host.rules.entries()) checkRule(rule, `virtualHosts[${i}].rules[${j}]`, report);
    }
    for (const [i, rule] of routing.l4.entries()) checkL4Rule(rule, `l4[${i}]`, report);
  });
}

function checkDomains(hosts: readonly VirtualHost[], report: Report): void {
  checkCount(total(hosts.map((host) => host.domains.length)), limits.domains, 'domains', report);
  const seen = new Set<string>();
  for (const [i, { domains }] of hosts.entries()) {
    if (domains.length === 0) report(`virtualHosts[${i}].domains`, 'must name a domain');
    for (const [j, domain] of domains.entries()) {
      const path = `virtualHosts[${i}].domains[${j}]`;
      if (!/^(\*|(\*\.)?[^*]+)$/.test(domain) || domain !== domain.toLowerCase())
        report(path, 'must be lower case: exact, `*.suffix` or `*`');
      if (seen.has(domain)) report(path, `${domain} is there twice`);
      seen.add(domain);
    }
  }
}

function checkRule(rule: HttpRule, path: string, report: Report): void {
  checkCount(rule.matches.length, limits.matches, `${path}.matches`, report);
  for (const [i, match] of rule.matches.entries()) checkHttpMatch(match, `${path}.matches[${i}]`, report);
  checkHeaders(rule.requestHeaders, `${path}.requestHeaders`, report);
  checkHeaders(rule.responseHeaders, `${path}.responseHeaders`, report);
  for (const [i, origin] of (rule.cors?.allowOrigins ?? []).entries()) checkStringMatch(origin, `${path}.cors.allowOrigins[${i}]`, report);
  if (rule.fault !== undefined) checkFault(rule.fault, `${path}.fault`, report);
  const { action } = rule;
  if (action === undefined) {
    report(`${path}.action`, later);
    return;
  }
  if (action.$case === 'route') {
    checkRoute(action.value, `${path}.route`, report);
    return;
  }
  if (action.$case === 'redirect') {
    checkRedirect(action.value, `${path}.redirect`, report);
    return;
  }
  checkStatus(action.value.status, `${path}.direct.status`, report);
  checkCount(action.value.body?.length ?? 0, limits.bodyBytes, `${path}.direct.body`, report);
}

function checkRoute(route: RouteAction, path: string, report: Report): void {
  checkDestinations(route.destinations, `${path}.destinations`, report);
  if (route.rewrite !== undefined) checkRewrite(route.rewrite, `${path}.rewrite`, report);
  if (route.retries !== undefined) checkRetries(route.retries, `${path}.retries`, report);
  checkCount(route.mirrors.length, limits.mirrors, `${path}.mirrors`, report);
  for (const [i, { destination, percent }] of route.mirrors.entries()) {
    checkRef(destination, `${path}.mirrors[${i}].destination`, report);
    checkPercent(percent, `${path}.mirrors[${i}].percent`, report);
  }
}

function checkDestinations(destinations: readonly WeightedDestination[], path: string, report: Report): void {
  if (destinations.length === 0) report(path, 'must hold a destination');
  checkCount(destinations.length, limits.destinations, path, report);
  const weight = total(destinations.map((each) => each.weight));
  if (destinations.length > 1 && weight === 0) report(path, 'weights must sum to more than 0');
  if (weight > mostWeight) report(path, `weights must not sum to more than ${mostWeight}`);
  for (const [i, each] of destinations.entries()) {
    checkRef(each.destination, `${path}[${i}].destination`, report);
    checkHeaders(each.requestHeaders, `${path}[${i}].requestHeaders`, report);
    checkHeaders(each.responseHeaders, `${path}[${i}].responseHeaders`, report);
  }
}

function checkRef(destination: WeightedDestination['destination'], path: string, report: Report): void {
  if (destination === undefined) {
    report(path, 'must be set');
    return;
  }
  const { cluster, missing } = destination;
  if (cluster === '' && missing !== 500 && missing !== 503) report(`${path}.missing`, 'must be 500 or 503 where there is no cluster');
  if (cluster !== '' && missing !== undefined) report(`${path}.missing`, 'must not be set beside a cluster');
}

function checkHeaders(changes: HeaderChanges | undefined, path: string, report: Report): void {
  if (changes === undefined) return;
  const { set, add, remove } = changes;
  checkCount(set.length + add.length + remove.length, limits.headers, path, report);
  const lists = { set: set.map((h) => h.name), add: add.map((h) => h.name), remove };
  for (const [list, names] of Object.entries(lists)) {
    for (const [i, name] of names.entries()) {
      if (!/^:?[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) report(`${path}.${list}[${i}]`, 'must be a header name in lower case');
    }
  }
  for (const [list, headers] of Object.entries({ set, add })) {
    for (const [i, { value }] of headers.entries()) {
      if (/[\0\r\n]/.test(value)) report(`${path}.${list}[${i}].value`, 'must not hold a line break or NUL');
    }
  }
}

function checkRewrite({ path: to }: Rewrite, path: string, report: Report): void {
  if (to?.$case !== 'regex') return;
  const { pattern, substitution } = to.value;
  const groups = checkRegex(pattern, `${path}.path.pattern`, report);
  for (const [, escaped = ''] of substitution.matchAll(/\\(.?)/gs)) {
    if (escaped === '\\') continue;
    if (!/^[0-9]$/.test(escaped)) report(`${path}.path.substitution`, '`\\` must be followed by a digit or `\\`');
    else if (groups !== undefined && Number(escaped) > groups) report(`${path}.path.substitution`, `there is no group \\${escaped}`);
  }
}

function checkRedirect({ port, status }: RedirectAction, path: string, report: Report): void {
  if (port !== undefined && !isPort(port)) report(`${path}.port`, 'must be 1-65535');
  if (![301, 302, 303, 307, 308].includes(status)) report(`${path}.status`, 'must be 301, 302, 303, 307 or 308');
}

function checkRetries({ attempts, statusCodes }: RetryPolicy, path: string, report: Report): void {
  checkCount(attempts, limits.attempts, `${path}.attempts`, report);
  for (const [i, status] of statusCodes.entries()) checkStatus(status, `${path}.statusCodes[${i}]`, report);
}

function checkFault({ delay, abort }: Fault, path: string, report: Report): void {
  if (delay !== undefined) checkPercent(delay.percent, `${path}.delay.percent`, report);
  if (abort === undefined) return;
  checkPercent(abort.percent, `${path}.abort.percent`, report);
  checkStatus(abort.status, `${path}.abort.status`, report);
}

function checkStatus(status: number, path: string, report: Report): void {
  if (status < 200 || status > 599) report(path, 'must be a final status, 200-599');
}

function checkL4Rule(rule: L4Rule, path: string, report: Report): void {
  checkCount(rule.matches.length, limits.matches, `${path}.matches`, report);
  for (const [i, match] of rule.matches.entries()) checkL4Match(match, `${path}.matches[${i}]`, report);
  checkDestinations(rule.destinations, `${path}.destinations`, report);
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0);
}
